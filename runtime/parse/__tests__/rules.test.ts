// Rules of the type evaluation and of declarations that the parity kit does not touch, one line each. Expectations follow
// from the contract (1.4–1.7, Appendix B), from Encore's published parser fixtures and, where both are silent, from reading its
// parser (tsparser, at the commit the contract names): read there, not recorded from a run.
import { afterAll, describe, expect, it } from "vitest";
import { parseApp } from "..";
import { checkJson } from "../check";
import type { ParseError } from "../errors";
import { outcomeOf, Scratch } from "./case-app";

const scratch = new Scratch();
afterAll(() => scratch.dispose());

const API = `import { api, type Header, type Query, type HttpStatus } from "encore.dev/api";\n`;

const check = (files: Record<string, string>): string => outcomeOf(scratch.fromFiles(files));

/** The request field `f` of the given type. */
const field = (type: string, declarations = ""): string =>
  check({
    "svc/api.ts": `${API}${declarations}\ninterface Req { f: ${type} }\nexport const ep = api({}, async (_p: Req): Promise<void> => {});\n`,
  }).replace(/^ep: \{ f: (.*) \} -> null$/, "$1");

describe("types", () => {
  it.each([
    [`Exclude<"a" | "b", "a">`, "", `"b"`],
    [`Exclude<K, "a">`, `type K = "a" | "b";`, `("a" | "b")`],
    [`Partial<Partial<F>>`, `interface F { a: string; b?: number }`, "{ a?: string; b?: float64 }"],
    [`Pick<F, "a" | "c">`, `interface F { a: string; b?: number; c?: boolean }`, "{ a: string; c?: bool }"],
    [`keyof Record<"a" | "b", number>`, "", `("a" | "b")`],
    [`F["a" | "b"]`, `interface F { a: string; b?: number }`, "(string | float64)"],
    [`N.A`, `namespace N { export interface A { x: string } }`, "{ x: string }"],
    [`A`, `interface P { v: string } interface A extends Partial<P> { o: number }`, "{ o: float64; v?: string }"],
    [`({ a: string } | { b: string }) & { c: string }`, "", "({ a: string; c: string } | { b: string; c: string })"],
    [`A`, `interface A { b: B | null } interface B { a?: A }`, "{ b: ({ a?: <A> } | null) }"],
    [`any | string`, "", "any"],
    [`"a" | string`, "", "string"],
    [
      `Name[]`,
      `import { MinLen, MaxLen } from "encore.dev/validate"; type Name = string & MinLen<1> & MinLen<5> & MaxLen<9>;`,
      "list<string & (min_len(5) & max_len(9))>",
    ],
    [`M`, `interface M { a: string }\ninterface M { b: string }`, "{ a: string }"],
    [`E`, `enum E { A = 1 << 2, B = ~1 }`, "(1 | 1)"],
  ])("reads %s after `%s`", (type, declarations, expected) => {
    expect(field(type, declarations)).toBe(expected);
  });

  it.each([
    [`string & number`, "", "unsupported basic type in schema: Never"],
    [`Record<E, string>`, `enum E { A = "a" }`, "unsupported mapped key type: Enum("],
    [`G<string>`, `interface G<T, U = T> { a: T; b: U }`, "svc/api.ts:2:20: unknown identifier"],
    [`O`, `type O = string | undefined;`, "unsupported basic type in schema: Undefined"],
    [
      `Role`,
      `const Role = { A: "a" } as const; type Role = (typeof Role)[keyof typeof Role];`,
      "svc/api.ts:3:20: value used as type",
    ],
    [
      `typeof f`,
      `export function f() { return 1; }`,
      "svc/api.ts:2:8: function must have explicit return type annotation (function body parsing not yet supported) | svc/api.ts:4:38: function types are not supported in schemas",
    ],
    [
      `T`,
      `type T = T["x"];`,
      "svc/api.ts:2:1: circular type reference | unsupported indexed access type operation: obj Basic(",
    ],
  ])("refuses %s after `%s`", (type, declarations, expected) => {
    const [first = ""] = expected.split(" | ");
    expect(field(type, declarations).split(" | ")[0]).toBe(first);
  });

  it("means the exported type when a type and a constant share a name", () => {
    const types = `export const Role = { A: "a", B: "b" } as const;\nexport type Role = (typeof Role)[keyof typeof Role];\n`;
    const api = `${API}import { Role } from "./types";\nexport const ep = api({}, async (_p: { f: Role }): Promise<void> => {});\n`;
    expect(check({ "svc/types.ts": types, "svc/api.ts": api })).toBe(`ep: { f: ("a" | "b") } -> null`);
  });

  it("accepts what has an obvious wire form in extended mode only", () => {
    const source = `${API}const LIST = ["a", "b"] as const;\ninterface Req { t: \`x\${string}\`; r: ReadonlyArray<string>; l: (typeof LIST)[number]; g: G<string> }\ninterface G<T, U = T> { a: U }\nexport const ep = api({}, async (_p: Req): Promise<void> => {});\n`;
    const root = scratch.fromFiles({ "svc/api.ts": source });
    expect(checkJson(root).ok).toBe(false);
    const result = checkJson(root, { extended: true });
    expect(JSON.stringify(result)).toContain(
      `{ t: string; r: list<string>; l: (\\"a\\" | \\"b\\"); g: { a: string } }`,
    );
  });
});

describe("declarations", () => {
  it.each([
    [
      "an endpoint in a function",
      `export function make() { const ep = api({}, async (): Promise<void> => {}); return ep; }`,
      "svc/api.ts:2:32: unknown identifier",
    ],
    [
      "a destructured endpoint",
      `export const { a } = api({}, async (): Promise<void> => {});`,
      "svc/api.ts:2:14: expected identifier as bind name",
    ],
    [
      "a parameter beside a catch-all",
      `export const a = api.raw({ path: "/f/*r" }, () => {});\nexport const b = api.raw({ path: "/f/:x" }, () => {});`,
      "svc/api.ts:3:18: api endpoints with conflicting paths defined",
    ],
    [
      "two status fields",
      `interface R { a: HttpStatus; b: HttpStatus }\nexport const a = api({}, async (): Promise<R> => { throw 1; });`,
      "svc/api.ts:2:15: http status can only be defined once per response type",
    ],
    [
      "a stream's path parameter without handshake",
      `export const s = api.streamIn<{ id: string }>({ path: "/s/:id" }, async (_s) => {});`,
      "svc/api.ts:2:18: request schema must be defined when having path parameters",
    ],
    [
      "too few types of a stream",
      `export const s = api.streamInOut<{ id: string }>({ path: "/s" }, async (_s) => {});`,
      "svc/api.ts:2:33: wrong number of type parameters, expected 2, found 1",
    ],
    [
      "Partial written as the request itself",
      `interface F { a: string }\nexport const ep = api({}, async (_p: Partial<F>): Promise<void> => {});`,
      "svc/api.ts:3:38: missing package name for universe.ts",
    ],
  ])("refuses %s", (_what, source, expected) => {
    expect(check({ "svc/api.ts": `${API}${source}\n` })).toBe(expected);
  });

  it("sees a static path beside a catch-all, and the same name in another method's table", () => {
    const source = `export const a = api.raw({ path: "/f/*r", method: "GET" }, () => {});\nexport const b = api.raw({ path: "/f/x", method: "GET" }, () => {});\nexport const c = api.raw({ path: "/f/:x", method: "PUT" }, () => {});`;
    expect(check({ "svc/api.ts": `${API}${source}\n` })).toBe("a: null -> null; b: null -> null; c: null -> null");
  });

  it("tells a resource from a local variable of the same name", () => {
    const source = `import { SQLDatabase } from "encore.dev/storage/sqldb";
const db = new SQLDatabase("m");
export const f = (db: unknown): unknown => ({ db });
export const g = (): unknown => { const db = 1; return db; };
export { db };
export type D = typeof db;
void db.connectionString;
`;
    expect(check({ "svc/db.ts": source })).toBe("accepted");
  });

  it("refuses an import of what a package does not have, and reads no types from node's own modules", () => {
    const ep = `export const ep = api({}, async (): Promise<void> => {});\n`;
    expect(check({ "svc/api.ts": `${API}import "encore.dev/nope";\n${ep}` })).toBe(
      "unable to resolve module encore.dev/nope: failed to get the node_modules path",
    );
    expect(
      check({
        "svc/api.ts": `${API}import { join } from "node:path";\nimport pg from "pg";\nvoid join; void pg;\n${ep}`,
      }),
    ).toBe("ep: null -> null");
    const typed = `${API}import type { IncomingHttpHeaders } from "node:http";\nexport const ep = api({}, async (_p: IncomingHttpHeaders): Promise<void> => {});\n`;
    expect(check({ "svc/api.ts": typed })).toMatch(
      /^svc\/api\.ts:2:15: object not found: IncomingHttpHeaders \| svc\/api\.ts:3:38: unknown identifier/,
    );
  });

  it("reports every error of an app at once", () => {
    const bad = `${API}interface Req { f: [string] }\nexport const ep = api({}, async (_p: Req): Promise<void> => {});\n`;
    expect(check({ "a/api.ts": bad, "b/api.ts": bad })).toBe(
      "a/api.ts:3:38: tuple types are not yet supported in schemas | b/api.ts:3:38: tuple types are not yet supported in schemas",
    );
  });
});

describe("generic types", () => {
  it.each([
    ["A<string>", `type A<T> = T | string;`, "(string | string)"],
    ["A<any>", `type A<T> = T | null;`, "(any | null)"],
    ["A<null>", `type A<T> = { v: T | null };`, "{ v: (null | null) }"],
    ["A<string>", `type A<T> = T | T;`, "string"],
    ["A<string>", `type A<T> = null | T | null;`, "(null | string)"],
    [`A<"a" | "b">`, `type A<T> = T extends any ? T[] : never;`, `list<("a" | "b")>`],
    [`A<"a" | "b">`, `type A<T> = T extends string ? T[] : never;`, `(list<"a"> | list<"b">)`],
    [`A<{ a: string } | null>`, `type A<T> = T extends { a: infer X } ? X : T;`, "null"],
    [`A<"X-Name">`, `import { Header } from "encore.dev/api"; type A<T extends string> = { h: T };`, `{ h: "X-Name" }`],
    [
      "Merge<F, { a: number }>",
      `interface F { a: string; b: string } type Merge<A, B> = { [K in keyof A | keyof B]: K extends keyof B ? B[K] : K extends keyof A ? A[K] : never };`,
      "{ a: float64; b: string; a: float64 }",
    ],
  ])("reads %s after `%s`", (type, declarations, expected) => {
    expect(field(type, declarations)).toBe(expected);
  });

  const RULES = `import { MinLen, MaxLen } from "encore.dev/validate";`;
  it.each([
    ["A<never>", `type A<T> = T | null;`, "unsupported basic type in schema: Never"],
    [
      "A<3>",
      `${RULES} type A<N extends number> = string & MinLen<N>;`,
      "svc/api.ts:2:91: MinLen requires a number literal as its first type argument",
    ],
    [
      "A<string & MaxLen<3>>",
      `${RULES} type A<T> = T & MinLen<1>;`,
      "svc/api.ts:4:38: unsupported validation: MinLen<1> cannot be applied to string & MaxLen<3>",
    ],
    [
      "Keys<F & MinLen<1>>",
      `${RULES} interface F { a: string } type Keys<T> = keyof T;`,
      "svc/api.ts:4:38: unsupported validation: MinLen<1> cannot be applied to F",
    ],
    [`Extract<"a", string & MinLen<1>>`, RULES, "a type with validation cannot stand right of `extends`"],
    ["Pick<F, never>", `interface F { a: string }`, "unsupported index access type operation"],
    [`{ [K in "a"]: { [J in "b"]: K } }`, "", "svc/api.ts:3:48: unknown identifier"],
  ])("refuses %s after `%s`", (type, declarations, expected) => {
    expect(field(type, declarations).split(" | ")[0]).toBe(expected);
  });
});

describe("names", () => {
  const topic = (before: string, after = ""): string =>
    check({
      "svc/api.ts": `import { Topic } from "encore.dev/pubsub";\n${before} new Topic<M>("t", { deliveryGuarantee: "at-least-once" }); ${after}\n`,
    });

  it("are types of an inner scope only if that declares a type", () => {
    expect(topic(`interface M { a: string }\nfunction f(M: string) { const x = 1; void x;`, "}")).toBe("accepted");
    expect(topic(`interface M { a: string }\nfunction f<M>() {`, "}")).toBe("svc/api.ts:3:29: unknown identifier");
    expect(topic(`interface M { a: string }\nfunction f() { interface M { b: string }`, "}")).toMatch(
      /unknown identifier/,
    );
  });

  it("are values of an inner scope where that declares them", () => {
    const source = `import { CacheCluster, StringKeyspace } from "encore.dev/storage/cache";\nconst c = new CacheCluster("c");\nfunction f(c: unknown) { return new StringKeyspace<string>(c, { keyPattern: ":key" }); }\n`;
    expect(check({ "svc/c.ts": source })).toBe(
      "svc/c.ts:3:60: unknown identifier | svc/c.ts:3:33: could not resolve cache cluster reference",
    );
  });

  it("in quotes are not looked for among a package's resources", () => {
    expect(
      check({ "svc/api.ts": `import { "api" as make } from "encore.dev/api";\nmake({}, async () => {});\n` }),
    ).toBe("accepted");
  });
});

describe("paths", () => {
  it.each([
    ["/a/:b/c", "/a/:d/e", "a: null -> null; b: null -> null"],
    ["/a/:b", "/a/:c", "svc/api.ts:3:18: api endpoints with conflicting paths defined"],
    ["/a/:b/*c", "/a/:d/:e", "svc/api.ts:3:18: api endpoints with conflicting paths defined"],
    ["/x*y", "/z", "svc/api.ts:2:18: catch-all parameters are only allowed at the end of a route"],
    ["/x:", "/z", "svc/api.ts:2:18: parameters must be registered with a name"],
    ["/*:a", "/z", "svc/api.ts:2:18: only one parameter is allowed per path segment"],
  ])("%s beside %s", (a, b, expected) => {
    const source = `export const a = api.raw({ path: "${a}" }, () => {});\nexport const b = api.raw({ path: "${b}" }, () => {});\n`;
    expect(check({ "svc/api.ts": `${API}${source}` })).toBe(expected);
  });
});

describe("configs", () => {
  const cron = (schedule: string): string =>
    check({
      "svc/c.ts": `import { CronJob } from "encore.dev/cron";\n${API}const ep = api({}, async (): Promise<void> => {});\nexport const c = new CronJob("c", { endpoint: ep, schedule: "${schedule}" });\n`,
    }).replace(/^svc\/c\.ts:\d+:\d+: /, "");

  it.each([
    ["*/15 4 1,15 * mon-fri", "ep: null -> null"],
    ["0 0 29 2 *", "ep: null -> null"],
    ["+1 * * * *", "ep: null -> null"],
    ["0 0 30 2 *", "invalid cron"],
    [", * * * *", "invalid cron"],
    ["1-5/2 * * * *", "invalid digit found in string"],
    ["5/10 * * * *", "invalid digit found in string"],
    ["* * * jan *", "invalid digit found in string"],
    ["5-1 * * * *", "invalid input"],
    ["60 * * * *", "invalid value"],
    ["*/0 * * * *", "invalid value"],
    ["1- * * * *", "cannot parse integer from empty string"],
  ])("schedule %s", (schedule, expected) => {
    expect(cron(schedule)).toBe(expected);
  });

  it.each([
    ["1h 30m", "accepted"],
    ["1µs", "missing TimeDuration format - must be multiples of [0-9]+(ns|us|ms|[smhdwy])"],
    ["", "cannot parse integer from empty string"],
    ["99999999999999999999s", "number too large to fit in target type"],
  ])("duration '%s'", (duration, expected) => {
    const source = `import { Topic, Subscription } from "encore.dev/pubsub";\nexport const t = new Topic<{ a: string }>("t", { deliveryGuarantee: "at-least-once" });\nnew Subscription(t, "s", { handler: async () => {}, ackDeadline: "${duration}" });\n`;
    expect(check({ "svc/s.ts": source }).replace(/^svc\/s\.ts:\d+:\d+: /, "")).toBe(expected);
  });

  it("need a method where they list methods", () => {
    expect(
      check({ "svc/api.ts": `${API}export const ep = api({ method: [] }, async (): Promise<void> => {});\n` }),
    ).toBe("svc/api.ts:2:33: invalid methods: at least one is needed");
  });

  it("name migrations by numbers of 64 bits", () => {
    const db = `import { SQLDatabase } from "encore.dev/storage/sqldb";\nexport const db = new SQLDatabase("a", { migrations: "./m" });\n`;
    expect(check({ "svc/db.ts": db, "svc/m/99999999999999999999_a.up.sql": "" })).toBe(
      "svc/db.ts:2:54: number too large to fit in target type",
    );
  });

  it("let a cache hold what has no form on the wire", () => {
    const source = `import { CacheCluster, StructKeyspace } from "encore.dev/storage/cache";\nconst c = new CacheCluster("c");\nexport const k = new StructKeyspace<string, { a: [string] }>(c, { keyPattern: ":key" });\n`;
    expect(
      check({ "svc/c.ts": source, "svc/api.ts": `${API}export const ep = api({}, async (): Promise<void> => {});\n` }),
    ).toBe("ep: null -> null");
  });

  it("let an empty SQL text pass", () => {
    const source = `import { SQLDatabase } from "encore.dev/storage/sqldb";\n${API}const db = new SQLDatabase("a");\nexport const ep = api({}, async (): Promise<void> => { await db.exec\`\`; });\n`;
    expect(check({ "svc/db.ts": source })).toBe("ep: null -> null");
  });
});

describe("documentation comments", () => {
  it("lose lines that are nothing but //", () => {
    const root = scratch.fromFiles({
      "svc/api.ts": `${API}// One.\n//\n// Two.\nexport const ep = api({}, async (): Promise<void> => {});\n`,
    });
    expect(JSON.stringify(checkJson(root))).toContain(`"doc":"One.\\nTwo."`);
  });

  it("may stand before the call itself", () => {
    const root = scratch.fromFiles({
      "svc/api.ts": `${API}export const ep = /** Says hello. */ api({}, async (): Promise<void> => {});\n`,
    });
    expect(JSON.stringify(checkJson(root))).toContain(`"doc":"Says hello."`);
  });
});

describe("syntax errors", () => {
  it.each([
    ["const x = {", "2:12"],
    ["interface A { a: string", "2:24"],
    ["cosnt x = 1;", "2:7"],
    ["exprot const x = 1;", "2:8"],
    ["export cosnt x = 1;", "2:8"],
    ["export", "2:7"],
    ["/* never closed", "2:1"],
    ["const x = ;", "2:11"],
    ["const x = { a: 1, , b: 2 };", "2:19"],
    ["}", "2:1"],
  ])("%s is refused at %s", (source, place) => {
    expect(check({ "svc/api.ts": `${API}${source}\n` }).split(": ")[0]).toBe(`svc/api.ts:${place}`);
  });
});

describe("names that meet", () => {
  const errorsOf = (files: Record<string, string>): ParseError[] => {
    const result = parseApp(scratch.fromFiles(files));
    return result.ok ? [] : result.errors;
  };
  const service = (name: string): string =>
    `import { Service } from "encore.dev/service";\nexport default new Service("${name}");\n`;

  it("two services of one name in ~encore/clients are refused", () => {
    const files = { "a/encore.service.ts": service("foo-bar"), "b/encore.service.ts": service("foo_bar") };
    const errors = errorsOf(files);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({
      place: { file: "b/encore.service.ts" },
      message: "the services foo-bar and foo_bar are both called foo_bar in ~encore/clients",
      remedy: "Rename one of them: a hyphen becomes an underscore there.",
    });
  });

  it("a type of the app's own may be called as a global one, and says how to write both in one file", () => {
    const own = `import { api } from "encore.dev/api";\nexport interface Promise { id: string }\n`;
    const both = `${own}export const two = api({}, async (p: Promise): globalThis.Promise<Promise> => p);\n`;
    expect(errorsOf({ "svc/api.ts": both })[0]).toMatchObject({
      message: "unknown qualified name",
      remedy: "Rename the app's own type of that name, and write the global one without `globalThis`.",
    });
    const apart = `import { api } from "encore.dev/api";\nimport type { Promise as Pledge } from "./types";\n`;
    expect(
      check({
        "svc/types.ts": own,
        "svc/api.ts": `${apart}export const one = api({}, async (p: Pledge): Promise<Pledge> => p);\n`,
      }),
    ).toBe("one: { id: string } -> { id: string }");
  });
});
