// The generated client of the parity kit's app: it compiles, strictly, for browsers and for node, and calls the running app.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { hostPackageRoot } from "../../host-files";
import { type AppProcess, startApp } from "../../http/__tests__/support/app-process";
import { parseApp } from "../../parse";
import { Scratch } from "../../parse/__tests__/case-app";
import { typescriptClient } from "../typescript-client";

const parityApp = join(hostPackageRoot, "runtime/__tests__/parity/http/app");
const folder = mkdtempSync(join(tmpdir(), "groundwork-client-"));
const scratch = new Scratch();
let app: AppProcess;

function generate(root: string): string {
  const result = parseApp(root);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return typescriptClient(result.model, "kit");
}

const browser: ts.CompilerOptions = { lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"], types: [] };
const node: ts.CompilerOptions = {
  lib: ["lib.es2022.d.ts"],
  types: ["node"],
  typeRoots: [join(hostPackageRoot, "node_modules/@types")],
};

/** Messages of the compiler for a client and, beside it, a file that uses it. */
function complaints(client: string, use: string, platform: ts.CompilerOptions = browser): string[] {
  const files = { "client.ts": client, "use.ts": use };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noImplicitOverride: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    erasableSyntaxOnly: true,
    isolatedModules: true,
    skipLibCheck: true,
    ...platform,
  };
  const program = ts.createProgram(
    Object.keys(files).map((name) => join(folder, name)),
    options,
  );
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      (one) =>
        `${one.file?.fileName.split("/").at(-1)}:${one.file?.getLineAndCharacterOfPosition(one.start ?? 0).line ?? 0}: ${ts.flattenDiagnosticMessageText(one.messageText, " ")}`,
    );
}

afterAll(async () => {
  await app?.stop();
  scratch.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const SHOP = {
  "shop/api.ts": `import { api, type Header, type Query, type Cookie, type HttpStatus } from "encore.dev/api";
/** What is sold. */
interface Item { id: string; price?: number; at: Date; kind: "lamp" | "desk"; parts?: Item[] }
interface Page<T> { items: T[]; next: string | null }
interface Create { shop: string; key: Header<"Idempotency-Key">; dry?: Query<boolean>; sid?: Cookie<"sid">; item: Item }
interface Created { status: HttpStatus; version: Header<number, "X-Version">; item: Item }
/** Adds an item. */
export const create = api({ expose: true, method: "POST", path: "/shops/:shop/items" }, async (_p: Create): Promise<Created> => { throw new Error("x"); });
export const list = api({ expose: true, method: "GET", path: "/items" }, async (_p: { after?: string; ids?: string[] }): Promise<Page<Item>> => { throw new Error("x"); });
export const files = api.raw({ expose: true, method: ["GET", "PUT"], path: "/files/*path" }, async (_req, res) => { res.end(); });
export const internal = api({ method: "GET", path: "/internal" }, async (): Promise<void> => {});
`,
};

describe("the text", () => {
  it("has a typed method per exposed endpoint, each field where it travels", () => {
    const client = generate(scratch.fromFiles(SHOP));
    expect(client).toContain(
      `async create(shop: string, params: shop.Create): Promise<Omit<shop.Created, "status">> {`,
    );
    expect(client).toContain(
      `this.#base.call<Omit<shop.Created, "status">>({ method: "POST", path: \`/shops/\${segment(shop)}/items\`, query: { dry: params.dry }, headers: { "Idempotency-Key": params.key }, cookies: { sid: params.sid }, body: { item: params.item }, responseHeaders: { version: ["X-Version", "number"] } });`,
    );
    expect(client).toContain(
      `async list(params: { after?: string; ids?: string[] } = {}): Promise<{ items: shop.Item[]; next: string | null }>`,
    );
    expect(client).toContain(
      `async files(method: "GET" | "PUT", path: string, init: RawInit = {}): Promise<globalThis.Response>`,
    );
    expect(client).not.toContain("internal(");
    const use = `import Client, { APIError } from "./client";
const { shop } = new Client("http://x");
export async function run(): Promise<number> {
  const made = await shop.create("main", { key: "k", item: { id: "1", at: new Date().toISOString(), kind: "lamp" } });
  const page = await shop.list();
  if (new APIError(404, "not_found", "m").code === "not_found") return made.version;
  // @ts-expect-error not a kind of item
  page.items[0]!.kind = "chair";
  // @ts-expect-error the status is no part of the answer
  return made.status;
}
`;
    expect(complaints(client, use)).toEqual([]);
    expect(complaints(client, use, node)).toEqual([]);
  });
});

interface Loaded {
  Client: new (
    target: string,
    options?: object,
  ) => Record<string, Record<string, (...args: unknown[]) => Promise<unknown>>>;
}

describe("against the running app", () => {
  let connect: (options?: object) => InstanceType<Loaded["Client"]>;

  beforeAll(async () => {
    const client = generate(parityApp);
    const use = `import { Client, type live } from "./client";
export async function run(client: Client): Promise<string[]> {
  const stream = await client.live.room("a", { size: 2 });
  stream.send({ text: "hello" } satisfies live.Message);
  const texts: string[] = [];
  for await (const message of stream) texts.push(message.reply);
  return texts;
}
`;
    expect(complaints(client, use)).toEqual([]);
    const file = join(folder, "client.mjs");
    writeFileSync(
      file,
      ts.transpileModule(client, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } })
        .outputText,
    );
    const { Client } = (await import(pathToFileURL(file).href)) as Loaded;
    app = await startApp(parityApp);
    connect = (options) => new Client(`http://127.0.0.1:${app.port}`, { webSocket: WebSocket, ...options });
  });

  it("sends path, query, headers, cookies and body so that the app sees them", async () => {
    const { fields } = connect();
    const scalars = JSON.stringify(await fields?.scalars?.({ s: "a b&c", n: 1.5, b: true, os: "ż" }));
    expect(scalars).toContain("a b&c");
    expect(scalars).toContain("ż");
    expect(JSON.stringify(await fields?.byDelete?.(7, { reason: "why" }))).toMatch(/why/);
    const headers = JSON.stringify(await fields?.headers?.({ text: "t", num: 3, flag: true }));
    expect(headers).toContain('text: \\"t\\"');
    expect(headers).toContain("num: 3");
    expect(JSON.stringify(await fields?.cookies?.({ sid: "s-1" }))).toMatch(/s-1/);
    expect(JSON.stringify(await fields?.mixed?.({ q: "q1", n: 2, list: ["x", "y"], body: "b1" }))).toMatch(/b1/);
  });

  it("authenticates by a token or by parameters, and errors are APIErrors", async () => {
    await expect(connect().guard?.closed?.()).rejects.toMatchObject({
      name: "APIError",
      status: 401,
      code: "unauthenticated",
    });
    expect(JSON.stringify(await connect({ auth: "alice" }).guard?.closed?.())).toMatch(/alice/);
    expect(JSON.stringify(await connect({ auth: () => Promise.resolve({ key: "alice" }) }).guard?.closed?.())).toMatch(
      /alice/,
    );
    await expect(connect({ auth: "details" }).guard?.closed?.()).rejects.toMatchObject({ details: { hint: "login" } });
  });

  it("streams both ways, with headers from the handshake, and to an end", async () => {
    const { live } = connect({ auth: "alice" });
    const room = (await live?.room?.("hall", { size: 2, name: "N" })) as {
      send(m: object): void;
      recv(): Promise<{ reply: string }>;
      close(): void;
    };
    const { reply } = await room.recv();
    expect(reply).toContain("hall");
    expect(reply).toContain("N");
    room.send({ text: "hello" });
    expect((await room.recv()).reply).toBe("hall: hello");
    room.close();
    const counted: string[] = [];
    for await (const message of (await live?.count?.(3)) as AsyncIterable<{ reply: string }>)
      counted.push(message.reply);
    expect(counted).toEqual(["1", "2", "3"]);
    const collect = (await live?.collect?.()) as { send(m: object): void; response(): Promise<{ reply: string }> };
    for (const text of ["one", "two", "end"]) collect.send({ text });
    expect((await collect.response()).reply).toBe("one,two");
    const secured = (await live?.secured?.()) as AsyncIterable<{ reply: string }>;
    for await (const message of secured) expect(message.reply).toMatch(/alice/);
  });
});
