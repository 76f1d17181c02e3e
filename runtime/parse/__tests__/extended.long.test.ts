// What `--extended` accepts beyond Encore (docs/adr/0002): types that a package or TypeScript's library computes, told by TypeScript's
// checker. Without it they are refused as Encore refuses them, and the remedy names the flag.
import { afterAll, describe, expect, it } from "vitest";
import { parseApp } from "..";
import { readParseCache } from "../cache";
import { checkJson } from "../check";
import { parseAppCached } from "../refresh";
import { Scratch } from "./case-app";

const scratch = new Scratch();
afterAll(() => scratch.dispose());

const API = `import { api } from "encore.dev/api";\nimport { z } from "zod";\n`;
const endpoint = (type: string): string =>
  `export const ep = api({}, async (_p: { f: ${type} }): Promise<void> => {});\n`;
const app = (type: string, before = "", files: Record<string, string> = {}): string =>
  scratch.fromFiles({ "svc/api.ts": `${API}${before}\n${endpoint(type)}`, ...files });

/** The field `f`, or the errors. */
function field(root: string, extended?: boolean): string {
  const result = checkJson(root, extended === undefined ? {} : { extended });
  if (!result.ok) return result.errors.join(" | ");
  const request =
    (result.model as { services: { endpoints: { request: string }[] }[] }).services[0]?.endpoints[0]?.request ?? "";
  return request.replace(/^\{ f: (.*) \}$/, "$1");
}

describe("what zod infers", () => {
  it.each([
    [
      "z.object({ a: z.string(), b: z.number().optional(), c: z.string().nullish() })",
      "{ a: string; b?: float64; c?: (string | null) }",
    ],
    [
      "z.object({ d: z.date(), l: z.array(z.object({ q: z.boolean() })), r: z.record(z.string(), z.number()) })",
      "{ d: time; l: list<{ q: bool }>; r: map<string, float64> }",
    ],
    [
      `z.object({ e: z.enum(["x", "y"]), l: z.literal(1), u: z.union([z.string(), z.boolean()]), o: z.boolean().optional() })`,
      `{ e: ("x" | "y"); l: 1; u: (string | bool); o?: bool }`,
    ],
    [
      `z.object({ id: z.string().brand<"Id">(), t: z.string().transform((text) => text.length), any: z.unknown() })`,
      "{ id: string; t: float64; any: any }",
    ],
    [
      `z.discriminatedUnion("k", [z.object({ k: z.literal("a"), x: z.string() }), z.object({ k: z.literal("b") })])`,
      `({ k: "a"; x: string } | { k: "b" })`,
    ],
  ])("from %s", (schema, expected) => {
    expect(field(app("z.infer<typeof S>", `const S = ${schema};`), true)).toBe(expected);
  });

  it("in another file, under another name, of the input side", () => {
    const shared = `import * as zod from "zod";\nexport const S = zod.object({ n: zod.string().transform(Number) });\nexport type In = zod.input<typeof S>;\nexport type Out = zod.output<typeof S>;\n`;
    expect(
      field(app("{ i: In; o: Out }", `import type { In, Out } from "./shared";`, { "svc/shared.ts": shared }), true),
    ).toBe("{ i: { n: string }; o: { n: float64 } }");
  });

  it("is refused without the flag, with a remedy that names it", () => {
    const root = app("z.infer<typeof S>", "const S = z.object({ a: z.string() });");
    const result = parseApp(root);
    const errors = result.ok ? [] : result.errors;
    expect(errors.map((error) => error.message)).toContain("unknown qualified name");
    expect(errors.find((error) => error.message === "unknown qualified name")?.remedy).toContain("--extended");
  });

  it.each([
    [
      "what has no form on the wire",
      "z.infer<typeof S>",
      "const S = z.object({ f: z.function() });",
      /function types are not supported/,
    ],
    [
      "what refers to itself",
      "z.infer<typeof S>",
      "interface N { next?: N }\nconst S: z.ZodType<N> = z.any();",
      /^svc\/api\.ts:5:43: this type cannot be read: it refers to itself/,
    ],
    [
      "open type parameters",
      "I<string>",
      "type I<T> = z.infer<z.ZodType<T>>;",
      /^svc\/api\.ts:3:13: this type cannot be read: its arguments are type parameters/,
    ],
    [
      "what TypeScript does not know",
      "z.nothing<string>",
      "",
      /this type cannot be read: TypeScript cannot tell it either/,
    ],
  ])("refuses %s", (_what, type, before, expected) => {
    expect(field(app(type, before), true)).toMatch(expected);
  });
});

describe("types of TypeScript's library", () => {
  it.each([
    [
      "Awaited<ReturnType<typeof f>>",
      'async function f(): Promise<{ a: string }> { return { a: "" }; }',
      "{ a: string }",
    ],
    ["Parameters<typeof f>[0]", "function f(_a: { b: number }): void {}", "{ b: float64 }"],
    [`Uppercase<"a">`, "", `"A"`],
  ])("%s", (type, before, expected) => {
    expect(field(app(type, before), true)).toBe(expected);
  });
});

describe("the setting", () => {
  const SCHEMA = "const S = z.object({ a: z.string() });";
  const withSetting = (value: unknown): string =>
    app("z.infer<typeof S>", SCHEMA, {
      "package.json": JSON.stringify({ type: "module", groundwork: { extended: value } }),
    });

  it("is package.json#groundwork.extended, and an option goes before it", () => {
    expect(field(withSetting(true))).toBe("{ a: string }");
    expect(field(withSetting(true), false)).toMatch(/unknown qualified name/);
    expect(field(withSetting("yes"))).toMatch(/unknown qualified name/);
  });

  it("is part of what a parse is kept for", () => {
    const root = app("z.infer<typeof S>", SCHEMA);
    expect(parseAppCached(root, { extended: true }).ok).toBe(true);
    expect(readParseCache(root, { extended: true })).toBeDefined();
    expect(readParseCache(root)).toBeUndefined();
    expect(parseAppCached(root).ok).toBe(false);
    scratch.write("package.json", JSON.stringify({ type: "module", groundwork: { extended: true } }));
    expect(parseAppCached(root).ok).toBe(true);
    expect(readParseCache(root)).toBeDefined();
    scratch.write("package.json", `{ "type": "module" }`);
    expect(readParseCache(root)).toBeUndefined();
  });

  it("keeps what the checker looked at", () => {
    const root = app("P.Made<number>", `import type * as P from "p";`, {
      "svc/node_modules/p/package.json": `{ "name": "p", "main": "i.js" }`,
      "svc/node_modules/p/i.js": "",
      "svc/node_modules/p/i.d.ts": `export type { Made } from "./made";\n`,
      "svc/node_modules/p/made.d.ts": "export type Made<T> = { [K in `k${1 | 2}`]: T };\n",
    });
    expect(parseAppCached(root, { extended: true })).toMatchObject({ ok: true });
    expect(readParseCache(root, { extended: true })).toBeDefined();
    scratch.write("svc/node_modules/p/made.d.ts", "export type Made<T> = { k: T };\n");
    expect(readParseCache(root, { extended: true })).toBeUndefined();
  });
});
