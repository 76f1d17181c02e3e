// An app in a workspace: its packages are TypeScript that no registry has, installed as npm, pnpm and yarn do it.
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostPackageRoot } from "../../host-files";
import { checkJson } from "../../parse/check";
import { buildApp } from "../build";
import { bundleApp, preloadFile } from "../bundle-app";
import { dependenciesOf } from "../dependencies";

let base: string;
let root: string;

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "groundwork-workspace-")));
  root = join(base, "apps/api");
  write(workspace);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    writeFileSync(join(base, path), text);
  }
}

/** @param to from the workspace's root */
function link(path: string, to: string): void {
  mkdirSync(dirname(join(base, path)), { recursive: true });
  symlinkSync(join(base, to), join(base, path));
}

/** A package as a registry gives it. */
const published = (folder: string, version: string): Record<string, string> => ({
  [`${folder}/package.json`]: `{ "name": "tiny-left", "version": "${version}", "type": "module", "main": "index.js" }`,
  [`${folder}/index.js`]: `export const left = (text) => "v${version} " + text;`,
  [`${folder}/index.d.ts`]: `export declare const left: (text: string) => string;`,
});

const workspace = {
  "package.json": `{ "name": "acme", "private": true, "workspaces": ["apps/*", "packages/*"] }`,
  "packages/db/package.json": `{ "name": "@acme/db", "version": "0.0.0", "private": true, "type": "module", "exports": { ".": "./src/index.ts", "./plans": "./src/plans.ts" }, "dependencies": { "tiny-left": "^1.0.0" } }`,
  "packages/db/src/index.ts": `import { left } from "tiny-left";
export interface UserRow { id: number; name: string }
export const greet = (name: string): string => left(name);`,
  "packages/db/src/plans.ts": `export enum Plan { Free = "free", Pro = "pro" }`,
  "packages/old/package.json": `{ "name": "@acme/old", "version": "0.0.0", "main": "index.js" }`,
  "packages/old/index.js": `const { basename } = require("node:path"); exports.nameOf = (path) => basename(path);`,
  "packages/old/index.d.ts": `export declare const nameOf: (path: string) => string;`,
  "apps/api/encore.app": `{ "id": "", "lang": "typescript" }`,
  "apps/api/package.json": `{ "name": "api", "private": true, "type": "module", "dependencies": { "encore.dev": "1.58.6", "@acme/db": "workspace:*", "@acme/old": "*", "@acme/unused": "*", "unlinked": "link:../x" } }`,
  "apps/api/tsconfig.json": `{ "compilerOptions": { "target": "ES2022", "module": "ES2022", "moduleResolution": "bundler", "strict": true, "paths": { "~encore/*": ["./encore.gen/*"] } } }`,
  "apps/api/users/encore.service.ts": `import { Service } from "encore.dev/service";\nexport default new Service("users");`,
  "apps/api/users/logic.ts": `import { greet } from "@acme/db";
import { Plan } from "@acme/db/plans";
import { nameOf } from "@acme/old";
export const answer = (): string => [greet("ann"), Plan.Pro, nameOf("/a/b")].join();`,
  "apps/api/users/api.ts": `import { api } from "encore.dev/api";
import type { UserRow } from "@acme/db";
import { answer } from "./logic";
interface Answer { users: UserRow[]; text: string }
export const list = api({ expose: true, method: "GET", path: "/users" }, async (): Promise<Answer> => ({ users: [{ id: 1, name: "ann" }], text: answer() }));`,
  // What a bundle is made of, without the SDK: it can be loaded here.
  "apps/api/encore.gen/internal/entrypoints/combined/main.ts": `export { answer } from "../../../../users/logic";`,
};

const layouts: Record<string, () => void> = {
  "npm and yarn: everything beside the root": () => {
    write(published("node_modules/tiny-left", "1.2.3"));
    for (const name of ["db", "old"]) link(`node_modules/@acme/${name}`, `packages/${name}`);
    link("node_modules/@acme/unused", "packages/old");
    symlinkSync(join(hostPackageRoot, "node_modules/encore.dev"), join(base, "node_modules/encore.dev"));
  },
  "pnpm: each package beside who wants it": () => {
    const store = "node_modules/.pnpm/tiny-left@1.2.3/node_modules/tiny-left";
    write(published(store, "1.2.3"));
    link("packages/db/node_modules/tiny-left", store);
    for (const name of ["db", "old"]) link(`apps/api/node_modules/@acme/${name}`, `packages/${name}`);
    symlinkSync(join(hostPackageRoot, "node_modules/encore.dev"), join(root, "node_modules/encore.dev"));
  },
  "pnpm: a copy instead of a link": () => {
    layouts["pnpm: each package beside who wants it"]?.();
    rmSync(join(root, "node_modules/@acme/db"));
    const copy = "node_modules/.pnpm/@acme+db@file+packages+db/node_modules";
    for (const [path, text] of Object.entries(workspace))
      if (path.startsWith("packages/db/")) write({ [path.replace("packages/db", `${copy}/@acme/db`)]: text });
    link(`${copy}/tiny-left`, "node_modules/.pnpm/tiny-left@1.2.3/node_modules/tiny-left");
    link("apps/api/node_modules/@acme/db", `${copy}/@acme/db`);
  },
  "no link, but paths in tsconfig.json": () => {
    layouts["pnpm: each package beside who wants it"]?.();
    rmSync(join(root, "node_modules/@acme"), { recursive: true });
    const paths = {
      "~encore/*": ["./encore.gen/*"],
      "@acme/db": ["../../packages/db/src/index.ts"],
      "@acme/db/*": ["../../packages/db/src/*"],
      "@acme/*": ["../../packages/*/index"],
    };
    const text = readFileSync(join(root, "tsconfig.json"), "utf8").replace(
      /"paths": .*?\} \} \}/,
      `"paths": ${JSON.stringify(paths)} } }`,
    );
    write({ "apps/api/tsconfig.json": text });
  },
};

/** As Node itself loads the bundle: the test runner would find and compile what Node does not. */
function answerOf(bundle: string): string {
  const script = `import { answer } from ${JSON.stringify(pathToFileURL(bundle).href)}; process.stdout.write(answer());`;
  return execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
}

const manifestOf = (folder: string): Record<string, string> =>
  (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { dependencies: Record<string, string> })
    .dependencies;

test.each(Object.keys(layouts))("%s: the packages are bundled, what they use is found", async (layout) => {
  layouts[layout]?.();
  expect(checkJson(root)).not.toHaveProperty("errors");
  write({
    "apps/api/encore.gen/internal/entrypoints/combined/main.ts":
      workspace["apps/api/encore.gen/internal/entrypoints/combined/main.ts"],
  });
  const bundle = await bundleApp(root);
  expect(answerOf(bundle)).toBe("v1.2.3 ann,pro,b");
  expect(readFileSync(preloadFile(root), "utf8")).toBe(`import "tiny-left";\n`);
});

test("a version of its own does not become the app's, nor the app's its own", async () => {
  layouts["pnpm: each package beside who wants it"]?.();
  write(published("apps/api/node_modules/tiny-left", "2.0.0"));
  write({
    "apps/api/users/logic.ts": `import { greet } from "@acme/db";\nimport { left } from "tiny-left";\nexport const answer = () => left(greet("ann"));`,
  });
  expect(answerOf(await bundleApp(root))).toBe("v2.0.0 v1.2.3 ann");
});

test("another version of a package that the bundle leaves out makes a new bundle", async () => {
  layouts["npm and yarn: everything beside the root"]?.();
  await bundleApp(root);
  write(published("node_modules/tiny-left", "1.3.0"));
  expect(readFileSync(join(root, ".encore/build/combined/inputs.json"), "utf8")).toContain("1.2.3");
  await bundleApp(root);
  expect(readFileSync(join(root, ".encore/build/combined/inputs.json"), "utf8")).toContain("1.3.0");
});

test("no name of the workspace is in the dependencies, however it is wanted; other forms stay", () => {
  layouts["npm and yarn: everything beside the root"]?.();
  write({
    ...published("node_modules/aliased", "4.0.0"),
    ...published("node_modules/packed", "5.0.0"),
    "apps/api/package.json": `{ "dependencies": { "@acme/db": "*", "@acme/gone": "1.0.0", "@acme/old": "file:../../packages/old", "portal": "portal:../p",
      "packed": "./vendor/packed-5.0.0.tgz", "beside": "../beside", "home": "~/home", "root": "/abs/root", "windows": ".\\\\windows",
      "tiny-left": "catalog:", "aliased": "npm:tiny-left@^4.0.0", "git": "git+ssh://example.org/git.git", "hub": "user/repo", "encore.dev": "^1.58.0" } }`,
  });
  expect(dependenciesOf(root, [], ["pg"], hostPackageRoot)).toEqual({
    aliased: "npm:tiny-left@^4.0.0",
    "encore.dev": "1.58.6",
    git: "git+ssh://example.org/git.git",
    hub: "user/repo",
    pg: expect.stringMatching(/^8\./) as string,
    "tiny-left": "1.2.3",
  });
});

test("a built app runs where its workspace is gone, on the packages that its package.json names", async () => {
  layouts["pnpm: each package beside who wants it"]?.();
  write(published("apps/api/node_modules/tiny-left", "2.0.0"));
  write({ "apps/api/users/own.ts": `import { left } from "tiny-left";\nexport const own = left("own");` });
  const api = workspace["apps/api/users/api.ts"].replace("answer()", `answer() + " " + own`);
  write({ "apps/api/users/api.ts": `import { own } from "./own";\n${api}` });
  const folder = await buildApp(root, join(base, "built"));
  const dependencies = manifestOf(folder);
  expect(Object.keys(dependencies).filter((name) => /acme|unlinked/.test(name))).toEqual([]);
  expect(dependencies).toMatchObject({ "tiny-left": "2.0.0", "tiny-left-1.2.3": "npm:tiny-left@1.2.3" });
  for (const gone of ["packages", "apps", "node_modules"]) rmSync(join(base, gone), { recursive: true });
  // As npm lays them out, without a network.
  write({ ...published("node_modules/tiny-left", "2.0.0"), ...published("node_modules/tiny-left-1.2.3", "1.2.3") });
  symlinkSync(join(hostPackageRoot, "node_modules"), join(folder, "node_modules"));
  expect(existsSync(join(folder, "node_modules/tiny-left"))).toBe(false);
  const child = spawn(process.execPath, [join(folder, "host/start.js"), "--port", "0"], {
    env: { PATH: process.env.PATH, HOST: "127.0.0.1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    const address = await new Promise<string>((resolve, reject) => {
      let text = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (data: Buffer) => {
          text += data.toString();
          const found = /serving (http:\S+)/.exec(text)?.[1];
          if (found !== undefined) resolve(found);
        });
      child.once("exit", () => reject(new Error(text)));
    });
    expect(await (await fetch(`${address}/users`)).json()).toEqual({
      users: [{ id: 1, name: "ann" }],
      text: "v1.2.3 ann,pro,b v2.0.0 own",
    });
  } finally {
    child.kill("SIGKILL");
  }
});

test("`test` finds them by the paths of tsconfig.json too", async () => {
  layouts["no link, but paths in tsconfig.json"]?.();
  symlinkSync(join(hostPackageRoot, "node_modules/vitest"), join(root, "node_modules/vitest"));
  write({
    "apps/api/users/users.test.ts": `import { expect, test } from "vitest";
import { greet } from "@acme/db";
import { Plan } from "@acme/db/plans";
test("greets", () => expect(greet("ann") + Plan.Pro).toBe("v1.2.3 annpro"));`,
  });
  const child = spawn(process.execPath, [join(hostPackageRoot, "dist/cli.js"), "test", "--app", root], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining("1 passed") as string });
});
