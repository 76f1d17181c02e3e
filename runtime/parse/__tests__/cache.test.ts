// A kept parse is never stale: whatever a parse looked at, changing it makes the next one cold.
import { renameSync } from "node:fs";
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
    ["a source file is added", () => scratch.write("svc/more.ts", `import { api } from "encore.dev/api";\nexport const more = api({}, async (): Promise<void> => {});\n`)],
    ["a source file is deleted", () => scratch.remove("svc/db.ts")],
    ["a source file is renamed", () => renameSync(join(root, "svc/db.ts"), join(root, "svc/database.ts"))],
    ["a folder is renamed", () => renameSync(join(root, "svc"), join(root, "other"))],
    ["a type outside of the walked files is changed", () => scratch.write("vendor/packaged.d.ts", "export interface Packaged { c: string }\n")],
    ["a migration is added", () => scratch.write("svc/migrations/2_second.up.sql", "select 2;")],
    ["a migration is renamed", () => renameSync(join(root, "svc/migrations/1_first.up.sql"), join(root, "svc/migrations/1_initial.up.sql"))],
    ["encore.app is changed", () => scratch.write("encore.app", `{ "id": "other", "lang": "typescript" }`)],
    ["tsconfig.json is changed", () => scratch.write("tsconfig.json", `{ "compilerOptions": {} }`)],
    ["a generated file is changed", () => scratch.write("encore.gen/clients/index.js", "")],
    ["encore.gen is gone", () => scratch.remove("encore.gen")],
    ["a file appears that an import would resolve to first", () => scratch.write("lib/shared.d.ts", "export interface Shared { z: string }\n")],
  ])("is not used when %s", (_what, change) => {
    change();
    expect(isKept()).toBe(false);
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

describe("types of installed packages", () => {
  it("are part of what is kept", () => {
    scratch.remove("node_modules");
    scratch.write("node_modules/packaged/package.json", `{ "name": "packaged", "types": "index.d.ts" }`);
    scratch.write("node_modules/packaged/index.d.ts", "export interface Packaged { b: string }\n");
    scratch.write("node_modules/encore.dev/package.json", `{ "name": "encore.dev", "exports": { "./api": { "types": "./api.ts" } } }`);
    scratch.write("node_modules/encore.dev/api.ts", "export const api = 1;\n");
    scratch.remove("svc/db.ts");
    scratch.write("tsconfig.json", `{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }`);
    const first = parseAppCached(root);
    expect(first).toMatchObject({ ok: true });
    expect(isKept()).toBe(true);
    scratch.write("node_modules/packaged/index.d.ts", "export interface Packaged { b: number }\n");
    expect(isKept()).toBe(false);
    expect(parseAppCached(root).ok).toBe(true);
    scratch.write("node_modules/packaged/package.json", `{ "name": "packaged", "types": "other.d.ts" }`);
    expect(isKept()).toBe(false);
  });
});
