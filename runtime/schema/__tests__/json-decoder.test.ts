// Decoding of JSON texts: what is kept, what is dropped, and where a problem is said to be.
import { describe, expect, test } from "vitest";
import { overgrowth } from "../../../scripts/testing/growth";
import type { Schema } from "../../model";
import {
  any,
  bool,
  checked,
  decoder,
  decimal,
  list,
  lit,
  map,
  newDecimal,
  nothing,
  num,
  problem,
  str,
  struct,
  time,
  union,
} from "./support";

describe("values", () => {
  test("unknown keys are dropped at every level, known ones keep their values", () => {
    const decode = decoder(struct({ a: str, "b?": list(struct({ c: num })) }));
    expect(decode('{"z":{"y":[1,{"x":"}"}]},"a":"1","b":[{"c":1,"d":2},{"c":-0.5}]}')).toEqual({
      a: "1",
      b: [{ c: 1 }, { c: -0.5 }],
    });
  });

  test("keys may come in any order, escaped or not", () => {
    expect(decoder(struct({ a: str, b: num }))('{ "b" : 1 , "\\u0061" : "x" }')).toEqual({ a: "x", b: 1 });
  });

  test("integers keep all their digits, floats are numbers", () => {
    const decode = decoder(list(num));
    expect(decode("[9007199254740991, 9007199254740993, -9007199254740993, 18446744073709551615, 1e2]")).toEqual([
      9007199254740991,
      9007199254740993n,
      -9007199254740993n,
      18446744073709551615n,
      100,
    ]);
    expect(decode("[18446744073709551616, -0, 1e-400]")).toEqual([18446744073709552000, -0, 0]);
  });

  test("__proto__ is an ordinary key of a map and cannot change a prototype", () => {
    const value = decoder(map(any))('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("a type may contain itself", () => {
    const decls = {
      T: {
        id: "T",
        name: "T",
        place: { file: "", line: 1, column: 1 },
        type: struct({ v: num, "kids?": list({ kind: "named", id: "T" }) }),
      },
    };
    const decode = decoder({ kind: "named", id: "T" }, decls);
    expect(decode('{"v":1,"kids":[{"v":2,"kids":[]}]}')).toEqual({ v: 1, kids: [{ v: 2, kids: [] }] });
    expect(problem(() => decode('{"v":1,"kids":[{"v":2,"kids":[{}]}]}'))).toBe(
      "kids[0].kids[0]: missing field v at line 1 column 32",
    );
  });

  test("type arguments are filled in where the parameters stand", () => {
    const box = {
      id: "Box",
      name: "Box",
      place: { file: "", line: 1, column: 1 },
      type: struct({ value: { kind: "typeParameter", index: 0 }, "all?": list({ kind: "typeParameter", index: 0 }) }),
    };
    const decode = decoder(
      struct({ "s?": { kind: "named", id: "Box", args: [str] }, "n?": { kind: "named", id: "Box", args: [num] } }),
      { Box: box },
    );
    expect(decode('{"s":{"value":"x"},"n":{"value":1,"all":[2]}}')).toEqual({
      s: { value: "x" },
      n: { value: 1, all: [2] },
    });
    expect(problem(() => decode('{"n":{"value":"x"}}'))).toContain(
      'n.value: invalid type: string "x", expected a number',
    );
  });

  test("more than thirty-one fields are tracked like few", () => {
    const names = Array.from({ length: 40 }, (_, i) => `f${i}`);
    const decode = decoder(struct(Object.fromEntries(names.map((n) => [n, num]))));
    const text = (skip: number): string =>
      `{${names
        .filter((_, i) => i !== skip)
        .map((n) => `"${n}":1`)
        .join(",")}}`;
    expect(Object.keys(decode(text(-1)) as object)).toHaveLength(40);
    expect(problem(() => decode(text(35)))).toContain("missing field f35");
    expect(problem(() => decode(`${text(-1).slice(0, -1)},"f39":2}`))).toContain("duplicate field f39");
  });

  test("what follows the first value is not looked at", () => {
    expect(decoder(struct({ a: num }))('{"a":1} and more')).toEqual({ a: 1 });
  });
});

describe("unions", () => {
  test("the first member that fits wins", () => {
    const decode = decoder(
      struct({ v: union(struct({ a: str }), struct({ a: str, b: num }), list(num), time, str, nothing) }),
    );
    expect(decode('{"v":{"a":"x","b":1}}')).toEqual({ v: { a: "x" } });
    expect(decode('{"v":[1,2.0]}')).toEqual({ v: [1, 2] });
    expect(decode('{"v":"2024-01-02T03:04:05Z"}')).toEqual({ v: new Date("2024-01-02T03:04:05Z") });
    expect(decode('{"v":"soon"}')).toEqual({ v: "soon" });
    expect(decode('{"v":null}')).toEqual({ v: null });
    expect(problem(() => decode('{"v":[1,"x"]}'))).toBe(
      "v: invalid type: sequence, expected a JSON object, a JSON object, a JSON array, a datetime string, a string, or null at line 1 column 12",
    );
  });

  test("rules and dates hold inside members as they do outside; officially they do not (3.7, README)", () => {
    const starts = { rule: "startsWith", value: "ab" } as const;
    const decode = decoder(
      union(
        struct({ code: checked(str, starts) }),
        struct({ price: checked(decimal, { rule: "minValue", value: 1 }) }),
        struct({ at: union(nothing, time) }),
        nothing,
      ),
    );
    expect(decode('{"code":"abc"}')).toEqual({ code: "abc" });
    expect(problem(() => decode('{"code":"xyz"}'))).toContain("invalid type: map");
    expect(decode('{"price":"1.5"}')).toEqual({ price: newDecimal("1.5") });
    expect(decode('{"at":"2024-01-01T00:00:00Z"}')).toEqual({ at: new Date("2024-01-01T00:00:00Z") });
  });

  test("an integer literal is not met by a float", () => {
    const decode = decoder(list(union(lit(1), lit(2.5), lit("a"), lit(true))));
    expect(decode('[1,2.5,"a",true]')).toEqual([1, 2.5, "a", true]);
    expect(problem(() => decode("[1.0]"))).toBe(
      '[0]: invalid type: floating point `1.0`, expected 1, 2.5, "a", or true at line 1 column 4',
    );
  });
});

describe("problems", () => {
  const decode = decoder(
    struct({
      "s?": str,
      "n?": num,
      "b?": bool,
      "l?": list(num),
      "m?": map(num),
      "d?": decimal,
      "t?": time,
      "only?": lit("x"),
    }),
  );
  test.each([
    ['{"s":"', "s: EOF while parsing a string at line 1 column 6"],
    ['{"s":"a\\', "s: EOF while parsing a string at line 1 column 8"],
    ['{"s":"\\u12', "s: EOF while parsing a string at line 1 column 10"],
    ['{"s":"\\u12zz"}', "s: invalid escape at line 1 column 12"],
    ['{"s":"\\udc00"}', "s: lone leading surrogate in hex escape at line 1 column 12"],
    ['{"s":"\\ud800\\n"}', "s: unexpected end of hex escape at line 1 column 14"],
    ['{"s":"\\ud800\\u0041"}', "s: lone leading surrogate in hex escape at line 1 column 18"],
    ['{"s":"a\nb"}', "s: control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0"],
    ['{"n":-}', "n: invalid number at line 1 column 7"],
    ['{"n":-', "n: EOF while parsing a value at line 1 column 6"],
    ['{"n":1e', "n: EOF while parsing a value at line 1 column 7"],
    ['{"n":1.}', "n: invalid number at line 1 column 8"],
    ['{"n":1e999}', "n: number out of range at line 1 column 10"],
    ['{"b":tru}', "b: expected ident at line 1 column 9"],
    ['{"b":tr', "b: EOF while parsing a value at line 1 column 7"],
    ['{"l":[1,]}', "l: trailing comma at line 1 column 9"],
    ['{"l":[1', "l: EOF while parsing a list at line 1 column 7"],
    ['{"l":[1 2]}', "l: expected `,` or `]` at line 1 column 9"],
    ['{"l":[,1]}', "l[0]: expected value at line 1 column 7"],
    ['{"m":{"k":1,}}', "m: trailing comma at line 1 column 13"],
    ['{"m":{"k"}}', "m: expected `:` at line 1 column 10"],
    ['{"m":{"ż":"é"}}', 'm.ż: invalid type: string "é", expected a number at line 1 column 15'],
    ['{"z":[1,2', "z: EOF while parsing a list at line 1 column 9"],
    ['{"z":{"a":1 "b":2}}', "z: expected `,` or `}` at line 1 column 13"],
    ['{"z":{"a":01}}', "z: invalid number at line 1 column 12"],
    ['{"t":"2024-01-02T03:04:05+25:00"}', "t: invalid datetime: input is out of range at line 1 column 32"],
    ['{"t":"2024-01-02T03:04:05Zx"}', "t: invalid datetime: trailing input at line 1 column 28"],
    ['{"d":"1.2.3"}', "d: invalid decimal: Failed to parse decimal from string: 1.2.3 at line 1 column 12"],
    ['{"only":5}', 'only: invalid type: integer `5`, expected "x" at line 1 column 9'],
    ['{"l":{ }}', "l: invalid type: map, expected a JSON array at line 1 column 8"],
    ['{"m":[ 1]}', "m: invalid type: sequence, expected a JSON object at line 1 column 7"],
    ['{"s":1,"s":"a"}', "s: invalid type: integer `1`, expected a string at line 1 column 6"],
    ['{"s":"a","s":"b" }', "duplicate field s at line 1 column 18"],
  ])("%s", (text, message) => {
    expect(problem(() => decode(text))).toBe(message);
  });

  test("bytes that are not UTF-8 are a problem where they stand, and ignored where nobody reads them", () => {
    const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
    expect(problem(() => decode(bytes('{"s":"caf\xe9!"}')))).toBe("s: invalid unicode code point at line 1 column 12");
    expect(decode(bytes('{"z":"\xff","s":"\xc3\xa9"}'))).toEqual({ s: "é" });
    expect(decode(Buffer.from('{"s":"\ufffd"}'))).toEqual({ s: "\ufffd" });
    const escapes = '{"z":"\xff","s":"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\xc3\xa9"}';
    expect(decode(bytes(escapes))).toEqual({ s: "Aé€😀é" });
  });

  test("a problem repeats as much of a value or a key as a person reads", () => {
    const text = `${"a".repeat(4_095)}😀${"b".repeat(1_000_000)}`;
    expect(problem(() => decode(`{"l":"${text}"}`))).toBe(
      `l: invalid type: string "${"a".repeat(4_095)}…", expected a JSON array at line 1 column ${text.length + 9}`,
    );
    expect(problem(() => decode(`{"only":"${text}"}`)).length).toBeLessThan(4_200);
    expect(problem(() => decode(`{"${text}":[}`)).length).toBeLessThan(4_200);
  });

  // What a body full of one thing costs must not exceed its length by much: all of it is read in one turn.
  test.each([
    ["digits", (size: number) => `{"z":${"9".repeat(size)}}`, /number out of range/],
    ["digits of a negative number", (size: number) => `{"z":-${"9".repeat(size)}}`, /number out of range/],
    ["lists in lists", (size: number) => `{"z":${"[".repeat(size)}`, /EOF|expected value/],
    ["escapes", (size: number) => `{"s":"${"\\u0000".repeat(size / 6)}"}`, /nothing was thrown/],
    ["a text that is repeated", (size: number) => `{"l":"${"\u200b".repeat(size / 3)}"}`, /invalid type: string/],
    [
      "keys",
      (size: number) => `{${Array.from({ length: size / 12 }, (_, i) => `"k${i}":1`).join()}}`,
      /nothing was thrown/,
    ],
  ])("a megabyte of %s is read in a time in proportion", async (_, textOf, message) => {
    const bodies = [
      (size: number) => Buffer.from(textOf(size)),
      (size: number) => Buffer.concat([Buffer.from(textOf(size)), Buffer.of(0xff)]),
    ];
    for (const make of bodies) {
      expect(problem(() => decode(make(1_000_000)))).toMatch(message);
      expect(await overgrowth(1_000_000, make, (body) => problem(() => decode(body)))).toBeUndefined();
    }
  });

  test("nesting ends at 128 levels where values are kept, and nowhere where they are ignored", () => {
    const deep = (n: number): string => "[".repeat(n) + "]".repeat(n);
    const free = decoder(struct({ "a?": any }));
    expect(free(`{"a":${deep(126)}}`)).toBeDefined();
    expect(problem(() => free(`{"a":${deep(127)}}`))).toMatch(/recursion limit exceeded at line 1 column 132$/);
    expect(free(`{"z":${deep(100_000)}}`)).toEqual({});
  });
});

describe("rules", () => {
  test("bounds of integers are compared as integers, of floats as floats", () => {
    const decode = decoder(struct({ v: checked(num, { rule: "minValue", value: 1.5 }) }));
    expect(decode('{"v":1}')).toEqual({ v: 1 });
    expect(problem(() => decode('{"v":1.25}'))).toBe("v: value must be at least 1.5 (got 1.25) at line 1 column 9");
    expect(problem(() => decode('{"v":-9007199254740993}'))).toContain(
      "value must be at least 1.5 (got -9007199254740993)",
    );
  });

  test("decimals are compared exactly", () => {
    const decode = decoder(struct({ v: checked(decimal, { rule: "maxValue", value: 0.3 }) }));
    expect(decode('{"v":"0.29999999999999998889776975374843459576368331909179687"}')).toBeDefined();
    expect(problem(() => decode('{"v":"0.3"}'))).toContain("value must be at most 0.3");
  });

  test("a rule about a list counts its items, a rule about its items looks at each", () => {
    const decode = decoder(
      struct({ v: checked(list(checked(str, { rule: "minLen", value: 2 })), { rule: "maxLen", value: 1 }) }),
    );
    expect(problem(() => decode('{"v":["ab","cd"]}'))).toBe(
      "v: length too long (got 2, expected at most 1) at line 1 column 16",
    );
    expect(problem(() => decode('{"v":["a"]}'))).toBe(
      "v[0]: length too short (got 1, expected at least 2) at line 1 column 9",
    );
  });
});

test("alternatives that look into themselves and fail at their end are tried once at each object", () => {
  const kinds = ["a", "b", "c"];
  const child = union(...kinds.map((id): Schema => ({ kind: "named", id })), nothing);
  const node = (kind: string): Schema => struct({ "child?": child, "list?": list(child), kind: lit(kind) });
  const decls = Object.fromEntries(kinds.map((id) => [id, { id, name: id, type: node(id) }]));
  const decode = decoder(struct({ t: child }), decls);
  const nested = (innermost: string, depth: number): string => {
    let text = `{"kind":"${innermost}"}`;
    for (let i = 0; i < depth; i++) text = `{"child":${text},"list":[],"kind":"${kinds[i % 3]}"}`;
    return `{"t":${text}}`;
  };
  expect(decode(nested("c", 100))).toEqual(JSON.parse(nested("c", 100)));
  expect(() => decode(nested("z", 100))).toThrow("t: invalid type: map, expected");
});

test("any JSON text is decoded as JSON.parse decodes it, or refused by both", () => {
  let seed = 42;
  const random = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  const value = (depth: number): unknown => {
    const kind = random(depth > 4 ? 5 : 7);
    if (kind === 5) return Array.from({ length: random(4) }, () => value(depth + 1));
    if (kind === 6)
      return Object.fromEntries(Array.from({ length: random(4) }, (_, i) => [`k${i}"\\é\n`, value(depth + 1)]));
    return [
      null,
      random(2) === 0,
      random(1e9) - 5e8,
      random(1e6) / 64,
      `s${String.fromCodePoint(32 + (random(60_000) % 0xd000))}\t`,
    ][kind];
  };
  const decode = decoder(any);
  for (let i = 0; i < 2000; i++) {
    const text = JSON.stringify(value(0), null, random(2));
    expect(decode(text)).toEqual(JSON.parse(text));
    const at = random(text.length);
    const broken = text.slice(0, at) + String.fromCharCode(33 + random(90)) + text.slice(at + random(2));
    const accepts = (parse: () => unknown): boolean => problem(parse) === "nothing was thrown";
    const isTooLarge = /e\+?\d{3,}/i.test(broken);
    if (!isTooLarge && accepts(() => JSON.parse(broken)))
      expect(
        accepts(() => decode(broken)),
        broken,
      ).toBe(true);
  }
});
