// A kept parse is never stale: whatever a parse looked at, changing it makes the next one cold.
import {
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { readParseCache } from "../cache";
import { parseAppCached } from "../refresh";
import { Scratch } from "./case-app";

const scratch = new Scratch();
afterAll(() => scratch.dispose());

const FILES = {
  "svc/api.ts": `import { api } from "encore.dev/api";
import type { Shared } from "@lib/shared";
import type { Packaged } from "packaged";
export const ep = api({}, async (_p: Shared): Promise<Packaged> => { throw new Error("x"); });
`,
  "svc/db.ts": `import { SQLDatabase } from "encore.dev/storage/sqldb";
export const db = new SQLDatabase("main", { migrations: "./migrations" });
`,
  "svc/migrations/1_first.up.sql": "select 1;",
  "lib/shared.ts": "export interface Shared { a: string }\n",
  "packages/node_modules/packaged/package.json": `{ "name": "packaged", "types": "index.d.ts" }`,
  "tsconfig.json": `{ "compilerOptions": { "paths": { "~encore/*": ["./encore.gen/*"], "@lib/*": ["./lib/*"], "packaged": ["./vendor/packaged.d.ts"] } } }`,
  "vendor/packaged.d.ts": "export interface Packaged { b: string }\n",
};

let root: string;

beforeEach(() => {
  root = scratch.fromFiles(FILES);
  expect(parseAppCached(root).ok).toBe(true);
});

const isKept = (): boolean => readParseCache(root) !== undefined;
const request = (): string => JSON.stringify(readParseCache(root) ?? {});

describe("the kept parse", () => {
  it("is used as long as nothing changes", () => {
    expect(isKept()).toBe(true);
    expect(request()).toContain(`"formatVersion":1`);
  });

  it("is used when a file changes that no parse looks at", () => {
    scratch.write("README.md", "# hello");
    scratch.write("svc/__tests__/api.test.ts", "not even TypeScript (");
    scratch.write(".env", "A=1");
    expect(isKept()).toBe(true);
  });

  it.each([
    ["a source file is changed", () => scratch.write("lib/shared.ts", "export interface Shared { a: number }\n")],
    [
      "a source file is added",
      () =>
        scratch.write(
          "svc/more.ts",
          `import { api } from "encore.dev/api";\nexport const more = api({}, async (): Promise<void> => {});\n`,
        ),
    ],
    ["a source file is deleted", () => scratch.remove("svc/db.ts")],
    ["a source file is renamed", () => renameSync(join(root, "svc/db.ts"), join(root, "svc/database.ts"))],
    ["a folder is renamed", () => renameSync(join(root, "svc"), join(root, "other"))],
    [
      "a type outside of the walked files is changed",
      () => scratch.write("vendor/packaged.d.ts", "export interface Packaged { c: string }\n"),
    ],
    ["a migration is added", () => scratch.write("svc/migrations/2_second.up.sql", "select 2;")],
    [
      "a migration is renamed",
      () => renameSync(join(root, "svc/migrations/1_first.up.sql"), join(root, "svc/migrations/1_initial.up.sql")),
    ],
    ["encore.app is changed", () => scratch.write("encore.app", `{ "id": "other", "lang": "typescript" }`)],
    ["tsconfig.json is changed", () => scratch.write("tsconfig.json", `{ "compilerOptions": {} }`)],
    ["a generated file is changed", () => scratch.write("encore.gen/clients/index.js", "")],
    ["encore.gen is gone", () => scratch.remove("encore.gen")],
    ["a file appears that an import would resolve to first", () => scratch.write("lib/shared.js", "export {};\n")],
    ["a folder takes the place of a missing file", () => scratch.write("lib/shared.js/index.ts", "")],
    [
      "a package appears nearer than the one that was found",
      () => scratch.write("svc/node_modules/encore.dev/package.json", "{}"),
    ],
    ["a folder appears among migrations that no walk enters", () => scratch.write("svc/migrations/.old/x.sql", "")],
    [
      "encore.service.ts appears",
      () =>
        scratch.write(
          "svc/encore.service.ts",
          `import { Service } from "encore.dev/service";\nexport default new Service("renamed");\n`,
        ),
    ],
    ["tsconfig.json is gone", () => scratch.remove("tsconfig.json")],
    ["the model is another process's", () => scratch.write(".encore/groundwork/model.json", `{ "formatVersion": 1 }`)],
    [
      "a file is as long and as old as before",
      () => {
        const file = join(root, "lib/shared.ts");
        const { atime, mtime } = statSync(file);
        writeFileSync(file, readFileSync(file, "utf8").replace("a: string", "b: string"));
        utimesSync(file, atime, mtime);
      },
    ],
  ])("is not used when %s", (_what, change) => {
    change();
    expect(isKept()).toBe(false);
  });

  it("is not that of the app it was copied from", () => {
    const copy = join(root, "../copy");
    rmSync(copy, { recursive: true, force: true });
    cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
    expect(readParseCache(copy)).toBeUndefined();
    expect(isKept()).toBe(true);
  });

  it("is made again by the next parse", () => {
    scratch.write("lib/shared.ts", "export interface Shared { renamed: number }\n");
    expect(parseAppCached(root).ok).toBe(true);
    expect(request()).toContain("renamed");
  });

  it("is not made by a parse with errors", () => {
    scratch.write("lib/shared.ts", "export interface Shared { a: Unknown }\n");
    const result = parseAppCached(root);
    expect(result.ok).toBe(false);
    expect(isKept()).toBe(false);
  });
});

describe("links", () => {
  const types = (name: string): string => `export interface Shared { ${name}: string }\n`;

  function link(target: string, path: string): void {
    scratch.remove(path);
    symlinkSync(target, join(root, path));
  }

  it("count for what they lead to, files and folders alike", () => {
    scratch.write("one/shared.ts", types("one"));
    scratch.write("two/shared.ts", types("two"));
    link("one", "lib");
    expect(parseAppCached(root).ok).toBe(true);
    expect(isKept()).toBe(true);
    link("two", "lib");
    expect(isKept()).toBe(false);
    scratch.remove("lib");
    mkdirSync(join(root, "lib"));
    link("../one/shared.ts", "lib/shared.ts");
    expect(parseAppCached(root).ok).toBe(true);
    expect(request()).toContain(`"one"`);
    link("../two/shared.ts", "lib/shared.ts");
    expect(isKept()).toBe(false);
  });
});

describe("types of installed packages", () => {
  it("are part of what is kept", () => {
    scratch.remove("node_modules");
    const manifest = (entry: string): void =>
      scratch.write("node_modules/packaged/package.json", `{ "name": "packaged", "main": "${entry}" }`);
    manifest("index.js");
    scratch.write("node_modules/packaged/index.js", "");
    scratch.write("node_modules/packaged/index.d.ts", "export interface Packaged { b: string }\n");
    scratch.write(
      "node_modules/encore.dev/package.json",
      `{ "name": "encore.dev", "exports": { "./api": { "types": "./api.ts" } } }`,
    );
    scratch.write("node_modules/encore.dev/api.ts", "export const api = 1;\n");
    scratch.remove("svc/db.ts");
    scratch.write("tsconfig.json", `{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }`);
    expect(parseAppCached(root)).toMatchObject({ ok: true });
    expect(isKept()).toBe(true);
    scratch.write("node_modules/packaged/index.d.ts", "export interface Packaged { b: number }\n");
    expect(isKept()).toBe(false);
    expect(parseAppCached(root).ok).toBe(true);
    manifest("other.js");
    expect(isKept()).toBe(false);
    manifest("index.js");
    expect(isKept()).toBe(true);
    scratch.write("node_modules/packaged/index.ts", "export interface Packaged { c: number }\n");
    scratch.remove("node_modules/packaged/index.js");
    expect(isKept()).toBe(false);
  });
});
