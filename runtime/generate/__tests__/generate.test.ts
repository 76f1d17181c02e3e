// encore.gen/ of a small app: what the SDK and the bundler need to find in it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AppModel } from "../../model";
import { parseApp } from "../../parse";
import { Scratch } from "../../parse/__tests__/case-app";
import { generatedFiles, writeGenerated } from "..";

const NAMES = [
  ...["ref", "Client", "instance", "process", "apiCall", "streamIn", "registerTestHandler", "TEST_ENDPOINTS"],
  ...["params", "opts", "handler", "apiRoute", "names_service", "CallOpts", "Parameters", "WithCallOpts"],
  ...["a", "a_handler", "a_Type", "a_", "ReturnType"],
];
const FILES = {
  "my-shop/encore.service.ts": `import { Service } from "encore.dev/service";
import { middleware } from "encore.dev/api";
export default new Service("my-shop", { middlewares: [middleware({}, async (req, next) => next(req))] });
`,
  "my-shop/api.ts": `import { api, type Query } from "encore.dev/api";
interface Out { n: number }
export const byPath = api({ path: "/a/:id" }, async (_p: { id: string }): Promise<Out> => ({ n: 1 }));
export const bare = api({ tags: ["t"] }, async (): Promise<void> => {});
export const raw = api.raw({ path: "/raw/*rest" }, async (_req, res) => { res.end(); });
export const stream = api.streamInOut<{ q?: Query<string> }, Out, Out>({ path: "/s" }, async (_h, s) => { await s.send({ n: 1 }); });
export const assets = api.static({ path: "/assets/*path", dir: "./assets" });
`,
  "my-shop/assets/a.txt": "a",
  "other/api.ts": `import { api } from "encore.dev/api";
import { Topic, Subscription } from "encore.dev/pubsub";
import { Counter } from "encore.dev/metrics";
import { my_shop } from "~encore/clients";
import { getAuthData, type AuthData } from "~encore/auth";
export const topic = new Topic<{ a: string }>("t", { deliveryGuarantee: "at-least-once" });
new Subscription(topic, "s", { handler: async () => {} });
export const calls = new Counter("calls");
export const go = api({}, async (): Promise<{ n: number; user: string }> => {
  const auth: AuthData | null = getAuthData();
  const { n } = await my_shop.byPath({ id: "1" });
  await my_shop.bare();
  calls.increment();
  return { n, user: auth?.userID ?? "" };
});
`,
  // Every name that a client's own code has, and names that are made of another's.
  "names/api.ts": `import { api } from "encore.dev/api";
interface Out { n: number }
${NAMES.map((name) => `export const ${name} = api({}, async (_p: { a: string }): Promise<Out> => ({ n: 1 }));`).join("\n")}
`,
  "names/feed.ts": `import { api } from "encore.dev/api";
export const StreamRequest = api.streamIn<{ n: number }>({}, async () => {});
export const Promise = api.streamIn<{ n: number }>({}, async () => {});
`,
  "caller/api.ts": `import { api } from "encore.dev/api";
import { names } from "~encore/clients";
export const all = api({}, async (): Promise<{ n: number }> => {
  let n = 0;
${NAMES.map((name) => `  n += (await names.${name}({ a: "" })).n;`).join("\n")}
  await (await names.StreamRequest()).send({ n });
  await (await names.Promise()).send({ n });
  return { n };
});
`,
  "workers/encore.service.ts": `import { Service } from "encore.dev/service";
export default new Service("workers");
`,
  "auth/auth.ts": `import { Gateway, type Header } from "encore.dev/api";
import { authHandler } from "encore.dev/auth";
export const auth = authHandler<{ token: Header<"Authorization"> }, { userID: string }>(async () => ({ userID: "u" }));
export const gateway = new Gateway({ authHandler: auth });
`,
};

const scratch = new Scratch();
let root: string;
let model: AppModel;

beforeAll(() => {
  root = scratch.fromFiles(FILES);
  const result = parseApp(root);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  ({ model } = result);
  writeGenerated(model, root);
});
afterAll(() => scratch.dispose());

const read = (path: string): string => readFileSync(join(root, "encore.gen", path), "utf8");

describe("encore.gen", () => {
  it("has a client per service, under an identifier", () => {
    expect(read("clients/index.js")).toContain(`export * as my_shop from "../internal/clients/my-shop/endpoints.js";`);
    const client = read("internal/clients/my-shop/endpoints.js");
    expect(client).toContain("export async function byPath(params, opts)");
    expect(client).toContain("export async function bare(opts)");
    expect(client).toContain(`streamInOut("my-shop", "stream", params, opts)`);
    expect(client).not.toContain("assets");
  });

  it("registers handlers with their options and the service's middlewares", () => {
    const main = read("internal/entrypoints/combined/main.ts");
    expect(main).toContain(
      `endpointOptions: {"expose":false,"auth":false,"isRaw":false,"isStream":false,"tags":["t"]}`,
    );
    expect(main).toContain("middlewares: my_shop_service.default.cfg.middlewares || []");
    expect(main).toContain("const gateways: any[] = [api_gatewayGW];");
    expect(main.match(/apiRoute:/g)).toHaveLength(5 + NAMES.length + 3);
  });

  it("loads a service that has no endpoint, for the workers in it", () => {
    for (const entrypoint of ["combined", "services/workers"])
      expect(read(`internal/entrypoints/${entrypoint}/main.ts`)).toMatch(
        /^import "[^"]*\/workers\/encore\.service[^"]*";$/m,
      );
  });

  it("type-checks together with the app", () => {
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      lib: ["lib.es2022.d.ts"],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ["node"],
      baseUrl: root,
      paths: { "~encore/*": ["./encore.gen/*"] },
    };
    const program = ts.createProgram(
      [
        join(root, "other/api.ts"),
        join(root, "caller/api.ts"),
        join(root, "encore.gen/internal/entrypoints/combined/main.ts"),
      ],
      options,
    );
    const own = program
      .getSourceFiles()
      .filter(({ fileName }) => fileName.startsWith(root) && !fileName.includes("node_modules"));
    expect(own.length).toBeGreaterThan(8);
    const problems = own.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]);
    expect(problems.map((d) => `${d.file?.fileName}: ${ts.flattenDiagnosticMessageText(d.messageText, " ")}`)).toEqual(
      [],
    );
  });

  it("bundles, without code of one service in the other's client", async () => {
    const entryPoints = [join(root, "encore.gen/clients/index.js")];
    const { outputFiles } = await build({
      entryPoints,
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      packages: "external",
      define: { ENCORE_DROP_TESTS: "true" },
    });
    expect(outputFiles[0]?.text).toMatch(/apiCall[2-9]?\("my-shop", "byPath"/);
    expect(outputFiles[0]?.text).not.toContain("n: 1");
    for (const name of NAMES) expect(outputFiles[0]?.text).toMatch(new RegExp(`apiCall[2-9]?\\("names", "${name}"`));
  });

  it("drops what belongs to services that are gone, and only that", () => {
    const without = { ...model, services: model.services.filter((service) => service.name !== "other") };
    writeGenerated(without, root);
    expect(existsSync(join(root, "encore.gen/internal/clients/other/endpoints.js"))).toBe(false);
    expect(existsSync(join(root, "encore.gen/internal/clients/my-shop/endpoints.js"))).toBe(true);
    writeGenerated(model, root);
    expect(generatedFiles(model).every(({ path }) => existsSync(join(root, "encore.gen", path)))).toBe(true);
  });
});
