// What an app may be called and what it may send, in the generated client: header lists, several cookies, and names that are
// also the client's own, the language's, or every object's.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gen } from "../../commands/gen";
import { type AppProcess, startApp } from "../../http/__tests__/support/app-process";
import { parseApp } from "../../parse";
import { Scratch } from "../../parse/__tests__/case-app";
import { typescriptClient } from "../typescript-client";
import { writeGenerated } from "..";

const NAMES = [
  "Client",
  "BaseClient",
  "Headers",
  "Date",
  "segment",
  "own",
  "shared",
  "Auth",
  "base",
  "params",
  "Call",
  "call",
  "foo",
  "Foo",
  // Operators in front of a type.
  "infer",
  "keyof",
  "readonly",
  "unique",
];
const WORDS = ["then", "toString", "valueOf", "base", "call", "segment", "name", "own", "Headers", "Client", "eval_"];

const service = (name: string): Record<string, string> => ({
  [`${name}/encore.service.ts`]: `import { Service } from "encore.dev/service";\nexport default new Service("${name}");\n`,
  [`${name}/api.ts`]: `import { api } from "encore.dev/api";
export interface Record { JSONValue: T0; own: string }
export interface T0 { Date: string; default: number; constructor?: string }
export interface Client { record: Record; map: { [key: string]: T0 } }
interface Given { segment: string; params: number; own: boolean; constructor?: string; toString?: string; then?: string }
export const echo = api({ expose: true, method: "GET", path: "/${name}/:segment/:params/:own" }, async (given: Given): Promise<{ seen: string; client?: Client }> => ({ seen: JSON.stringify(given) }));
interface Pair { own: string; own_: string }
export const pair = api({ expose: true, method: "GET", path: "/pair/${name}/:own/:own_" }, async (given: Pair): Promise<{ seen: string }> => ({ seen: JSON.stringify(given) }));
`,
});

const files = {
  ...Object.assign({}, ...NAMES.map(service)),
  "session/encore.service.ts": `import { Service } from "encore.dev/service";\nexport default new Service("session");\n`,
  "session/api.ts": `import { api, type Header } from "encore.dev/api";
interface Tags { ok: boolean; tags: Header<string[], "X-Tags">; n: Header<number[], "X-N">; flag: Header<boolean[], "X-Flag"> }
export const tags = api({ expose: true, method: "GET", path: "/tags" }, async (): Promise<Tags> => ({ ok: true, tags: ["a", "b"], n: [1, 2], flag: [true, false] }));
interface Sent { n?: Header<number[], "X-N">; words?: Header<string[], "X-Words">; constructor?: Header<"X-Made"> }
interface Seen { seen: string }
export const sent = api({ expose: true, method: "GET", path: "/sent" }, async (p: Sent): Promise<Seen> => ({ seen: JSON.stringify(p) }));
interface Login { user: string; access: Header<"Set-Cookie">; refresh: Header<"Set-Cookie"> }
export const login = api({ expose: true, method: "POST", path: "/login" }, async (): Promise<Login> => ({ user: "ann", access: "access=a1; Path=/", refresh: "refresh=r1; Path=/auth" }));
${WORDS.map((word) => `export const ${word} = api({ expose: true, method: "GET", path: "/word/${word}" }, async (): Promise<Seen> => ({ seen: "${word}" }));`).join("\n")}
`,
};

type Methods = Record<string, (...args: unknown[]) => Promise<Record<string, unknown>>>;

const scratch = new Scratch();
const folder = mkdtempSync(join(tmpdir(), "groundwork-names-"));
let root: string;
let client: string;
let app: AppProcess | undefined;
let services: Record<string, Methods>;

beforeAll(async () => {
  root = scratch.fromFiles(files);
  const parsed = parseApp(root);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  client = typescriptClient(parsed.model, "names");
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  writeFileSync(join(folder, "client.ts"), client);
  writeFileSync(join(folder, "client.mjs"), ts.transpileModule(client, { compilerOptions: options }).outputText);
  const packages = readlinkSync(join(root, "node_modules"));
  scratch.remove("node_modules"); // the copy that is started gets its own
  app = await startApp(root);
  symlinkSync(packages, join(root, "node_modules"));
  const { Client } = (await import(pathToFileURL(join(folder, "client.mjs")).href)) as {
    Client: new (target: string) => Record<string, Methods>;
  };
  services = new Client(`http://127.0.0.1:${app.port}`);
});

afterAll(async () => {
  await app?.stop();
  scratch.dispose();
  rmSync(folder, { recursive: true, force: true });
});

test("it compiles, strictly", () => {
  const program = ts.createProgram([join(folder, "client.ts")], {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    isolatedModules: true,
    skipLibCheck: true,
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: [],
  });
  const said = ts
    .getPreEmitDiagnostics(program)
    .map((one) => `${one.start} ${ts.flattenDiagnosticMessageText(one.messageText, " ")}`);
  expect(said).toEqual([]);
});

test("header lists arrive as lists, both ways, and each cookie where it belongs", async () => {
  const { session } = services;
  expect(await session!.tags!()).toEqual({ ok: true, tags: ["a", "b"], n: [1, 2], flag: [true, false] });
  expect(await session!.sent!({ n: [1, 2], words: ["x", "y"] })).toEqual({ seen: '{"n":[1,2],"words":["x","y"]}' });
  expect(await session!.login!()).toEqual({
    user: "ann",
    access: "access=a1; Path=/",
    refresh: "refresh=r1; Path=/auth",
  });
});

test("a name that the client, the language or every object has is called like any other", async () => {
  for (const name of NAMES) {
    const { seen } = await services[name]!.echo!("a", 1, true, {});
    expect(JSON.parse(seen as string), name).toEqual({ segment: "a", params: 1, own: true });
    expect(await services[name]!.pair!("1", "2"), name).toEqual({ seen: '{"own":"1","own_":"2"}' });
  }
  for (const word of WORDS) {
    const method = word === "then" ? "then_" : word;
    expect(await services.session![method]!(), word).toEqual({ seen: word });
  }
  expect(await Promise.resolve(services.session)).toBe(services.session);
});

test("broken generated files stand in nobody's way", async () => {
  const parsed = parseApp(root);
  if (!parsed.ok) throw new Error("the app has errors");
  const index = join(root, "encore.gen/clients/index.js");
  writeGenerated(parsed.model, root);
  const good = readFileSync(index, "utf8");
  rmSync(index);
  mkdirSync(join(index, "inside"), { recursive: true });
  rmSync(join(root, "encore.gen/internal"), { recursive: true });
  writeFileSync(join(root, "encore.gen/internal"), "a file in a folder's place");
  writeFileSync(join(root, "encore.gen/clients/index.d.ts"), "export {{{ not TypeScript");
  expect(parseApp(root).ok).toBe(true);
  writeGenerated(parsed.model, root);
  expect(readFileSync(index, "utf8")).toBe(good);
  const output = join(root, "session/client.ts");
  // The app itself may use it.
  writeFileSync(
    join(root, "session/uses.ts"),
    `import Client, { Local } from "./client";\nexport const other = (): Client => new Client(Local);\n`,
  );
  const api = join(root, "session/api.ts");
  writeFileSync(api, `import "./uses";\n${readFileSync(api, "utf8")}`);
  for (const broken of ["export {{{ not TypeScript", 'import { api } from "nowhere";\nexport const x = api({}']) {
    writeFileSync(output, broken);
    chmodSync(output, 0o444);
    await gen({ flags: { app: root, lang: "typescript", output }, words: ["client"], rest: [], env: {} });
    expect(readFileSync(output, "utf8")).toMatch(/^\/\/ Client of/);
  }
  await expect(
    gen({ flags: { app: root, lang: "typescript", output: folder }, words: ["client"], rest: [], env: {} }),
  ).rejects.toThrow(/is a folder/);
});
