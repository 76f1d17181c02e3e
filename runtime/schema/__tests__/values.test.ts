// The small languages of the wire: date-times, e-mail addresses, Rust patterns, query strings, headers.
import { describe, expect, test, vi } from "vitest";
import type { PathSegment } from "../../model";
import { parseDateTime } from "../datetime";
import { isEmail } from "../email";
import { cookieLine, headerLines } from "../header-encoder";
import { JsonDecoderCompiler } from "../json-decoder";
import { UNPACED } from "../pace";
import { compileRegexp } from "../regexp";
import { placeFields, RequestCodec, type RequestSource } from "../request-codec";
import { ResponseCodec } from "../response-codec";
import { ShapeResolver } from "../shape";
import { isUrl } from "../url";
import type { Field, Schema } from "../../model";
import { bool, checked, list, newDecimal, num, problem, str, struct, union } from "./support";

describe("addresses", () => {
  test.each(["https://example.com", "data:,x", "mailto:a@example.com", `https://example.com/${"x".repeat(100_000)}`])(
    "%s is one",
    (text) => expect(isUrl(text)).toBe(true),
  );
  // A host takes the square of its length to read: 16,000 of these marks held the process up for a second.
  test("with a host that nobody could have is none, and is not read", () => {
    const read = vi.spyOn(URL, "canParse");
    const host = `a${"\u0315\u0316".repeat(2_000)}.example`;
    for (const start of ["https://", "  HTTPS:", "ht\ntp:\\\\", "wss:///", "https://user:x@"])
      expect(isUrl(`${start}${host}/`)).toBe(false);
    expect(read).not.toHaveBeenCalled();
    read.mockRestore();
  });
});

describe("date-times", () => {
  test.each([
    ["2024-01-02T03:04:05Z", "2024-01-02T03:04:05.000Z"],
    ["2024-01-02 03:04:05.678999+02:00", "2024-01-02T01:04:05.678Z"],
    ["2016-12-31t23:59:60z", "2017-01-01T00:00:00.000Z"],
    ["0001-01-01T00:00:00-23:59", "0001-01-01T23:59:00.000Z"],
    ["2024-02-29T00:00:00.1234567891234Z", "2024-02-29T00:00:00.123Z"],
  ])("%s", (from, to) => expect(new Date(parseDateTime(from) as Date).toISOString()).toBe(to));
  test.each([
    ["", "premature end of input"],
    ["2024-01-02", "premature end of input"],
    ["2024-01-02T03:04:05", "premature end of input"],
    ["2024-01-02T03:04:05.", "premature end of input"],
    ["2024-01-02T03:04:05+0", "premature end of input"],
    ["2023-02-29T00:00:00Z", "input is out of range"],
    ["2024-01-02T24:00:00Z", "input is out of range"],
    ["2024-01-02T03:04:05 02:00", "input contains invalid characters"],
    ["2024/01/02T03:04:05Z!", "input contains invalid characters"],
    ["2024-01-02T03:04:05Z+", "trailing input"],
    ["2024-01-02T03:04:05+0200", "input contains invalid characters"],
    ["2024-01-02T03:04:05+02:60", "input is out of range"],
    ["2024-01-02T03:04:05+02:00x", "trailing input"],
  ])("%j: %s", (text, message) => expect(parseDateTime(text)).toBe(message));
});

test.each([
  ["a@b", true],
  ["a+b@c.co", true],
  ['"a b"@c.co', true],
  ["a@[127.0.0.1]", true],
  ["ż@ż.co", true],
  ["a@b-c.d1", true],
  ["", false],
  ["@b", false],
  ["a@", false],
  [".a@b", false],
  ["a..b@c", false],
  ["a@b..c", false],
  ["a@-b.co", false],
  ["a@b-.co", false],
  ["a b@c", false],
  ["A <a@b.co>", false],
  [" <a@b.co>", true],
  ['"a <b"@c.co', false],
  ["\u{1F600}@b.co", false],
  ['"\u00e9"@b.co', false],
  ['"a\\b"@c.co', true],
  ['"a\\ b"@c.co', false],
  ["a@[\u00e9]", false],
  [`${"a".repeat(65)}@b`, false],
  [`a@${"b".repeat(64)}`, false],
])("the address %j: %s", (text, valid) => expect(isEmail(text)).toBe(valid));

describe("patterns of Rust's regex", () => {
  test.each([
    ["^[a-z]+$", "abc", true],
    ["^[a-z]+$", "abc\n", false],
    ["b+", "abba", true],
    ["^\\d{3}$", "١٢٣", true],
    ["(?i)^abc$", "ABC", true],
    ["\\Aab\\z", "ab", true],
    ["^(?P<year>\\d{4})-\\d\\d$", "2024-01", true],
    ["^[[:alpha:]_-]+$", "a_-B", true],
    ["^\\w+$", "żółć_1", true],
    ["^a\\-b\\@c$", "a-b@c", true],
    ["^\\x{1F600}$", "\u{1F600}", true],
    ["^.$", "\r", true],
    ["(?s)^.$", "\n", true],
    ["^a{2,3}$", "aaa", true],
    ["^[^\\s/]+$", "a/b", false],
    ["^\\pL+$", "ż", true],
    ["[\\W_]", "ab", false],
    ["[\\W_]", "a!", true],
    ["^[^\\W_]+$", "żab1", true],
    ["^[[:^alpha:]]+$", "12", true],
    ["^[a-z[0-9]]+$", "a1", true],
    ["^[a-z&&[^aeiou]]+$", "bcd", true],
    ["^[a-z&&[^aeiou]]+$", "bad", false],
    ["^[a-z--aeiou]+$", "bad", false],
    ["^[a-c~~b-d]+$", "ad", true],
    ["^[a-c~~b-d]+$", "b", false],
    ["^(?i)abc$", "ABC", true],
    ["^(?i:a)b$", "Ab", true],
    ["^(?i:a)b$", "AB", false],
    ["^(?i)[a-cé]+$", "AÉ", true],
    ["^(?i)k$", "\u212a", true],
    ["^(?i)\\p{Lu}$", "a", true],
    ["(?m)^b$", "a\nb\nc", true],
    ["(?x) a b # c", "ab", true],
    ["^(?-u)\\w+$", "ż", false],
    ["^(?s:.).$", "\n\n", false],
    ["\\bż\\b", "a ż b", true],
    ["\\bż\\b", "ażb", false],
    ["\\Bb", "ab", true],
    ["\\<b", "a b", true],
    ["^\\p{Greek}+$", "αβ", true],
    ["^\\p{script=greek}+$", "αβ", true],
    ["^\\P{Lowercase Letter}+$", "AB", true],
    ["^\\p{^Lu}+$", "ab", true],
    ["^a\\_b\\ c$", "a_b c", true],
    ["^*a**$", "aa", true],
    ["^a++b$", `${"a".repeat(40)}c`, false],
    ["^a{,2}$", "aa", true],
    ["^[]a]+$", "]a", true],
    ["^[^]]$", "a", true],
    ["^[-a]+$", "-a", true],
    ["^[a-]+$", "-a", true],
    ["^\\U0001F600$", "\u{1F600}", true],
  ])("%s on %j: %s", (pattern, text, matches) => expect(compileRegexp(pattern).test(text)).toBe(matches));
  test.each([
    "(?=a)b",
    "(?<!a)b",
    "[a",
    "(a)\\1",
    "\\Z",
    "\\0",
    "**",
    "a{",
    "a{1 2}",
    "a{3,2}",
    "[z-a]",
    "[a-\\d]",
    "(?P<n>a)(?P<n>b)",
    "(a",
    "a)",
    "\\p{Nope}",
    "(?q)a",
  ])("%s stops the start", (pattern) => expect(() => compileRegexp(pattern)).toThrow("is not supported"));
});

describe("requests", () => {
  const codec = (schema: Schema, path: PathSegment[] = [], rest: "query" | "body" = "query"): RequestCodec =>
    new RequestCodec(
      placeFields(new ShapeResolver({}).struct(schema), path, rest),
      path,
      new JsonDecoderCompiler(newDecimal),
      newDecimal,
    );
  const source = (more: Partial<RequestSource>): RequestSource => ({
    query: "",
    params: [],
    body: undefined,
    headerValues: () => [],
    ...more,
  });
  const wired = (name: string, type: Schema, place: "header" | "cookie", optional = false): Schema => ({
    kind: "struct",
    fields: [{ name, type, optional, wire: { in: place } }],
  });

  test("query values become what the schema says", () => {
    const decode = (query: string): unknown =>
      codec(struct({ "n?": num, "l?": list(num), "b?": bool, "u?": union(num, str) })).decode(source({ query }));
    expect(decode("n=%2B1&l=1&b=true&l=.5&u=x+y&zz=1&&=")).toEqual({ n: 1, l: [1, 0.5], b: true, u: "x y" });
    expect(decode("n=NaN")).toEqual({ n: null });
    expect(problem(() => decode("n=1&n=2"))).toBe("unable to decode query string: duplicate field n");
    expect(problem(() => decode("l=1&l=x"))).toBe("unable to decode query string: l: expected a number, got x");
  });

  test("of a union of lists and scalars the value decides whether a parameter may come again (H-41)", () => {
    const decode = (query: string): unknown =>
      codec(struct({ "ls?": union(list(str), num), "sl?": union(num, list(str)) })).decode(source({ query }));
    expect(decode("ls=1&ls=x")).toEqual({ ls: ["1", "x"] });
    expect(decode("sl=x&sl=y")).toEqual({ sl: ["x", "y"] });
    expect(decode("sl=1&sl=x")).toEqual({ sl: 1 });
    for (const query of ["sl=1&sl=2", "sl=x&sl=1"])
      expect(problem(() => decode(query))).toBe("unable to decode query string: duplicate field sl");
  });

  test("path parameters are JSON scalars or texts, with their rules", () => {
    const path: PathSegment[] = [
      { kind: "literal", value: "a" },
      { kind: "param", value: "n", type: "int", validation: { rule: "maxValue", value: 9 } },
      { kind: "wildcard", value: "rest", type: "string" },
    ];
    const decode = (...params: (string | undefined)[]): unknown =>
      codec(struct({ n: num, rest: str }), path).decode(source({ params }));
    expect(decode("5", "a%2Fb/c")).toEqual({ n: 5, rest: "a/b/c" });
    expect(decode("%205", undefined)).toEqual({ n: 5 });
    expect(problem(() => decode("10", "x"))).toBe("invalid path parameter n: value must be at most 9 (got 10)");
    expect(problem(() => decode("1x", "x"))).toBe("path parameter is not a valid number");
    expect(problem(() => decode("1", "%ff"))).toBe("unable to parse path params");
  });

  test("headers and cookies have their own messages", () => {
    const header = codec(wired("X-N", checked(num, { rule: "maxValue", value: 5 }), "header"));
    expect(header.decode(source({ headerValues: () => ["4", "9"] }))).toEqual({ "X-N": 4 });
    expect(problem(() => header.decode(source({ headerValues: () => ["6"] })))).toBe("invalid header value");
    expect(problem(() => header.decode(source({})))).toBe("missing required header: X-N");
    const cookie = codec(wired("sid", num, "cookie"));
    expect(cookie.decode(source({ headerValues: () => ["a=1; sid=2", "sid=3"] }))).toEqual({
      sid: { name: "sid", value: 3 },
    });
    expect(problem(() => cookie.decode(source({ headerValues: () => ["sid=x"] })))).toBe("invalid number value: x");
  });

  test("the head is decoded before the body, and the first failure ends it", () => {
    const both = codec(
      {
        kind: "struct",
        fields: [
          { name: "q", type: num, optional: false, wire: { in: "query" } },
          { name: "b", type: num, optional: false },
        ],
      },
      [],
      "body",
    );
    expect(problem(() => both.decode(source({ query: "q=x", body: "nonsense" })))).toBe(
      "unable to decode query string: q: expected a number, got x",
    );
    expect(both.decode(source({ query: "q=1", body: '{"b":2,"q":3}' }))).toEqual({ q: 1, b: 2 });
  });
});

describe("what goes out in headers", () => {
  test("values become texts; line breaks cannot get in", () => {
    expect(headerLines(["a", 1700000000000, true, null, new Date(0)])).toEqual([
      "a",
      "1700000000000.0",
      "true",
      "null",
      "1970-01-01T00:00:00+00:00",
    ]);
    expect(problem(() => headerLines("a\r\nX-Injected: 1"))).toBe("unable to convert string to header value");
    expect(problem(() => headerLines({ a: 1 }))).toBe("map type unsupported as header value");
  });
  test("cookies carry their attributes", () => {
    expect(cookieLine("c", { value: "v", httpOnly: true, sameSite: "None", maxAge: -1, path: "/" })).toBe(
      "c=v; HttpOnly; SameSite=None; Secure; Path=/; Max-Age=0",
    );
    expect(problem(() => cookieLine("c", { value: "v\r\nSet-Cookie: x=1" }))).toContain("failed to parse header value");
    expect(problem(() => cookieLine("c", { value: 1, path: 2 }))).toBe(
      "couldn't parse response: InvalidArg, cookie field path must be a string",
    );
  });

  test("cookie attributes follow the official cookie writer (H-86)", () => {
    expect(cookieLine("c", { value: "v", secure: false, partitioned: true, domain: ".example.com" })).toBe(
      "c=v; Partitioned; Secure; Domain=example.com",
    );
    expect(cookieLine("c", { value: "v", secure: false, sameSite: "None", expires: new Date(Number.NaN) })).toBe(
      "c=v; SameSite=None; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    );
    expect(cookieLine("c", { value: [1, "a", { b: null, a: 1.5 }] })).toBe("c=[1, a, {a: 1.5, b: null}]");
    for (const maxAge of [1.5, 5e9, -5e9])
      expect(problem(() => cookieLine("c", { value: "v", maxAge }))).toBe(
        "couldn't parse response: InvalidArg, cookie field {} must be an integer",
      );
  });
});

describe("responses", () => {
  const response = (fields: Field[]): ResponseCodec =>
    new ResponseCodec(
      new ShapeResolver({}).struct({ kind: "struct", fields }),
      new JsonDecoderCompiler(newDecimal),
      newDecimal,
    );
  const codec = response([
    { name: "v", type: str, optional: true },
    { name: "s", type: num, optional: true, wire: { in: "httpStatus" } },
  ]);

  test("all that a handler returns has to be representable, also what its type does not name (H-81, N-1)", () => {
    expect(codec.encode({ v: "x", more: { deep: [1, null] }, gone: undefined }, 200, UNPACED)).toEqual({
      status: 200,
      headers: [],
      body: '{"v":"x"}',
    });
    expect(problem(() => codec.encode({ v: "x", more: () => 1 }, 200, UNPACED))).toBe(
      "JS functions cannot be represented as a serde_json::Value",
    );
    expect(problem(() => codec.encode({ v: "x", s: Number.NaN }, 200, UNPACED))).toBe(
      "Failed to convert js number to serde_json::Number",
    );
    expect(problem(() => response([]).encode({ more: Symbol("x") }, 200, UNPACED))).toBe(
      "JS symbols cannot be represented as a serde_json::Value",
    );
  });

  test("a status has to be a whole number of 32 bits (H-87)", () => {
    const refused = (s: unknown): string =>
      problem(() => codec.encode({ s }, 200, UNPACED)).replace(
        "invalid http status code: HTTP status field 's' must be ",
        "",
      );
    for (const s of [201.5, -1, 1e10]) expect(refused(s)).toBe("a positive integer");
    expect([refused("201"), refused(newDecimal("201")), refused(201n), refused(null), refused(99)]).toEqual([
      "a number, got: string",
      "a number, got: decimal",
      "a number, got: decimal",
      "a number, got: null",
      "a between 100 and 599, got: 99",
    ]);
  });
});
