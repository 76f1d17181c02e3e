// Where imports lead (L-5, L-6): what Encore's resolver finds and what it does not, which is not what TypeScript's does.
// Expectations were recorded from Encore's parser, built from its published source.
import { afterAll, describe, expect, it } from "vitest";
import { outcomeOf, Scratch } from "./case-app";

const scratch = new Scratch();
afterAll(() => scratch.dispose());

const T = "export interface T { a: string }\n";
const OTHER = "export interface T { other: string }\n";
const FOUND = "ep: { a: string } -> null";

/** An app whose request type is the `T` that `specifier` exports. */
function importing(specifier: string, files: Record<string, string>): string {
  const api = `import { api } from "encore.dev/api";\nimport { T } from "${specifier}";\nexport const ep = api({}, async (_p: T): Promise<void> => {});\n`;
  return outcomeOf(scratch.fromFiles({ "svc/api.ts": api, ...files }));
}

const notFound = (specifier: string): string =>
  `svc/api.ts:2:10: import not found: unable to resolve module ${specifier}`;
const first = (outcome: string): string | undefined => outcome.split(" | ")[0];

describe("relative imports", () => {
  it.each([
    ["./t", "svc/t.ts"],
    ["./t", "svc/t.tsx"],
    ["./t.js", "svc/t.ts"],
    ["./t.mjs", "svc/t.mts"],
    ["./t.cjs", "svc/t.cts"],
    ["./t", "svc/t/index.ts"],
    ["./t/", "svc/t/index.ts"],
    [".", "svc/index.ts"],
    ["..", "index.ts"],
    ["./t.types", "svc/t.types.ts"],
  ])("'%s' finds %s", (specifier, file) => {
    expect(importing(specifier, { [file]: T })).toBe(FOUND);
  });

  it.each([
    ["./t", "svc/t.d.ts"],
    ["./t", "svc/t.mts"],
    ["./t", "svc/t.cts"],
  ])("'%s' does not find %s", (specifier, file) => {
    expect(first(importing(specifier, { [file]: T }))).toBe(notFound(specifier));
  });

  it("prefers a .js file, and the declarations beside it", () => {
    expect(importing("./t", { "svc/t.js": "", "svc/t.d.ts": T, "svc/t.ts": OTHER })).toBe(FOUND);
  });
});

describe("path aliases", () => {
  const withPaths = (paths: Record<string, string[]>, baseUrl?: string): Record<string, string> => ({
    "tsconfig.json": JSON.stringify({ compilerOptions: { paths, baseUrl } }),
  });

  it.each([
    ["./ targets", "@/t", withPaths({ "@/*": ["./lib/*"] })],
    ["the second target", "@/t", withPaths({ "@/*": ["./nope/*", "./lib/*"] })],
    ["the longest prefix", "@/x/t", withPaths({ "@/*": ["./nope/*"], "@/x/*": ["./lib/*"] })],
    ["exact targets", "lib", withPaths({ lib: ["./lib/t"] })],
    ["a suffix", "@/t/types", withPaths({ "@/*/types": ["./lib/*"] })],
    ["a base", "@/t", withPaths({ "@/*": ["./*"] }, "./lib")],
    [
      "comments",
      "@/t",
      { "tsconfig.json": `// c\n{ /* x */ "compilerOptions": { "paths": { "@/*": ["./lib/*"] } } } // "` },
    ],
  ])("know %s", (_what, specifier, config) => {
    expect(importing(specifier, { ...config, "lib/t.ts": T })).toBe(FOUND);
  });

  it.each([
    ["targets without ./", "@/t", withPaths({ "@/*": ["lib/*"] })],
    ["a .js ending", "@/t.js", withPaths({ "@/*": ["./lib/*"] })],
    ["baseUrl alone", "lib/t", withPaths({}, ".")],
  ])("do not know %s", (_what, specifier, config) => {
    expect(first(importing(specifier, { ...config, "lib/t.ts": T }))).toBe(notFound(specifier));
  });

  it.each([
    `{`,
    ``,
    `{ "compilerOptions": { "paths": {}, } }`,
    `{ "compilerOptions": { "paths": null } }`,
    `{ "compilerOptions": { "paths": { "a": "b" } } }`,
    `{ "compilerOptions": { "baseUrl": 1 } }`,
  ])("are refused when tsconfig.json is %s", (text) => {
    expect(importing("./t", { "svc/t.ts": T, "tsconfig.json": text })).toMatch(
      /^tsconfig\.json:\d+:\d+: parsing tsconfig\.json failed/,
    );
  });
});

describe("packages", () => {
  const installed = (manifest: unknown, files: Record<string, string>): Record<string, string> => ({
    "svc/node_modules/p/package.json": typeof manifest === "string" ? manifest : JSON.stringify(manifest),
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`svc/node_modules/p/${name}`, text])),
  });

  it.each([
    ["main with declarations beside it", "p", { main: "dist/i.js" }, { "dist/i.js": "", "dist/i.d.ts": T }],
    ["main without an ending", "p", { main: "lib/i" }, { "lib/i.js": "", "lib/i.d.ts": T }],
    ["a source file as main", "p", { main: "src/i.ts" }, { "src/i.ts": T }],
    ["an index", "p", {}, { "index.js": "", "index.d.ts": T }],
    [
      "module before main",
      "p",
      { main: "m.js", module: "m.mjs" },
      { "m.js": "", "m.d.ts": OTHER, "m.mjs": "", "m.d.mts": T },
    ],
    ["exports as a text", "p", { exports: "./i.ts" }, { "i.ts": T }],
    [
      "conditions in alphabetical order",
      "p",
      { exports: { ".": { node: "./n.ts", default: "./d.ts" } } },
      { "n.ts": OTHER, "d.ts": T },
    ],
    ["import before require", "p", { exports: { require: "./r.ts", import: "./i.ts" } }, { "r.ts": OTHER, "i.ts": T }],
    [
      "a nested condition",
      "p",
      { exports: { ".": { import: { types: "./i.d.mts", default: "./i.mjs" } } } },
      { "i.mjs": "", "i.d.mts": T },
    ],
    ["types as the only condition", "p", { exports: { ".": { types: "./i.d.ts" } } }, { "i.d.ts": T }],
    ["a pattern", "p/x/t", { exports: { "./*": "./src/*.ts" } }, { "src/x/t.ts": T }],
    ["a subpath that exports do not list", "p/t", { exports: { ".": "./i.js" } }, { "t.ts": T }],
    ["a scope", "@s/p", {}, { "../@s/p/package.json": `{ "exports": "./i.ts" }`, "../@s/p/i.ts": T }],
  ])("are found by %s", (_what, specifier, manifest, files) => {
    expect(importing(specifier, installed(manifest, files))).toBe(FOUND);
  });

  it.each([
    ["types alone", "p", { types: "i.d.ts" }, { "i.d.ts": T }],
    ["declarations without JavaScript", "p", {}, { "index.d.ts": T }],
    ["a list of exports", "p", { exports: { ".": ["./i.ts"] } }, { "i.ts": T }],
    ["a broken package.json", "p", "{", { "index.ts": T }],
    ["a slash at the end", "p/t/", { exports: { "./t": "./i.ts" } }, { "i.ts": T }],
  ])("are not found by %s", (_what, specifier, manifest, files) => {
    expect(first(importing(specifier, installed(manifest, files)))).toBe(notFound(specifier));
  });

  it("are not found by the app's own imports and exports", () => {
    const own = {
      "package.json": JSON.stringify({
        name: "case",
        imports: { "#t": "./lib/t.ts" },
        exports: { "./t": "./lib/t.ts" },
      }),
      "lib/t.ts": T,
    };
    expect(first(importing("#t", own))).toBe(notFound("#t"));
    expect(first(importing("case/t", own))).toBe(notFound("case/t"));
  });
});
