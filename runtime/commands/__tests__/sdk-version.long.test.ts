// SDKs of the last two years run. What differs in the oldest of them is stood in for here by a package that asks of its native
// module exactly what 1.43.8 asks: no type constructors, routes without a wrapper of their own, bare results, and no exit.
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { hostFile } from "../../host-files";
import { Scratch } from "../../parse/__tests__/case-app";
import { checkSdkVersion } from "../sdk-version";

const entries = ["api", "service", "internal/codegen/appinit", "internal/codegen/api"];

const sdk = (version: string): Record<string, string> => ({
  "package.json": JSON.stringify({
    name: "encore.dev",
    version,
    type: "module",
    exports: Object.fromEntries(
      entries.map((name) => [`./${name}`, { types: `./${name}.d.ts`, default: `./${name}.js` }]),
    ),
  }),
  "api.d.ts": `export interface CallOpts {}
export declare function api<P extends object | void, R extends object | void>(options: object, fn: (params: P) => Promise<R>): (params: P) => Promise<R>;
`,
  "api.js": `export { native as runtime } from "./native.js";\nexport const api = (_options, fn) => fn;\n`,
  "service.d.ts": `export declare class Service { constructor(name: string); }\n`,
  "service.js": `export class Service { cfg = {}; constructor(name) { this.name = name; } }\n`,
  "native.js": `import { createRequire } from "node:module";
export const native = createRequire(import.meta.url)(process.env.ENCORE_RUNTIME_LIB);
export const RT = new native.Runtime({ testMode: false, isWorker: false });
`,
  "internal/codegen/appinit.d.ts": `export type Handler = any;
export declare const registerGateways: any, registerHandlers: any, registerTestHandler: any, run: any;
`,
  "internal/codegen/appinit.js": `import { RT } from "../../native.js";
const transform = (h) => ({ ...h, handler: (req) => { const p = req.payload(); return p !== null ? h.handler(p) : h.handler(); } });
export const registerGateways = () => {};
export const registerHandlers = (all) => RT.registerHandlers(all.map(transform));
export const run = async () => RT.runForever();
`,
  "internal/codegen/api.d.ts": `export declare const apiCall: any, streamIn: any, streamOut: any, streamInOut: any;\n`,
  "internal/codegen/api.js": `import { RT } from "../../native.js";
export const apiCall = (service, endpoint, data) => RT.apiCall(service, endpoint, data, null);
export const streamIn = null, streamOut = null, streamInOut = null;
`,
});

const app = {
  "svc/encore.service.ts": `import { Service } from "encore.dev/service";\nexport default new Service("svc");\n`,
  "svc/api.ts": `import { api } from "encore.dev/api";
import { svc } from "~encore/clients";
interface Params { name: string }
interface Said { said: string }
export const hello = api({ expose: true, method: "GET", path: "/hello/:name" }, async ({ name }: Params): Promise<Said> => ({ said: name }));
export const twice = api({ expose: true, method: "GET", path: "/twice" }, async (): Promise<Said> => ({ said: (await svc.hello({ name: "bo" })).said + "!" }));
`,
};

const scratch = new Scratch();
afterAll(() => scratch.dispose());

function appWith(version: string): string {
  const root = scratch.fromFiles(app);
  rmSync(join(root, "node_modules"));
  mkdirSync(join(root, "node_modules"));
  for (const [path, text] of Object.entries(sdk(version))) scratch.write(`node_modules/encore.dev/${path}`, text);
  return root;
}

test("an app on the oldest SDK answers, calls its services and ends with an exit code", async () => {
  const child = spawn(process.execPath, [hostFile("cli.js"), "run", "--port", "0", "--app", appWith("1.43.8")], {
    env: { PATH: process.env.PATH ?? "", HOST: "127.0.0.1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
  while (!/serving http:\S+/.test(output) && child.exitCode === null)
    await Promise.race([ended, new Promise((resolve) => child.stdout.once("data", resolve))]);
  const address = /serving (http:\S+)/.exec(output)?.[1];
  expect(address, output).toBeDefined();
  expect(await (await fetch(`${address}/hello/ann`)).json()).toEqual({ said: "ann" });
  expect(await (await fetch(`${address}/twice`)).json()).toEqual({ said: "bo!" });
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
});

test("an older one is refused in one sentence that names the remedy", () => {
  expect(() => checkSdkVersion(appWith("1.34.0"))).toThrow(
    /^encore\.dev 1\.34\.0 is older than 1\.43, .*: `npm install encore\.dev@latest`$/,
  );
  expect(() => checkSdkVersion(appWith("1.43.0"))).not.toThrow();
  expect(() => checkSdkVersion(appWith("2.0.0"))).not.toThrow();
});
