// JavaScript values → JSON, as the official runtime writes them.
import { describe, expect, test } from "vitest";
import { compileMessageCodec } from "..";
import { encodeValue, quote, toPlain } from "../encoder";
import { any, newDecimal, num, problem, str, struct, time } from "./support";

describe("numbers", () => {
  test.each([
    [0, "0"],
    [-0, "0"],
    [4294967295, "4294967295"],
    [-2147483648, "-2147483648"],
    [4294967296, "4294967296.0"],
    [-2147483649, "-2147483649.0"],
    [1700000000000, "1700000000000.0"],
    [0.1, "0.1"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [0.00001, "0.00001"],
    [0.000001, "1e-6"],
    [1.5e300, "1.5e+300"],
    [5e-324, "5e-324"],
    [123456789012345680000, "1.2345678901234568e+20"],
  ])("%d", (value, text) => expect(encodeValue(value)).toBe(text));

  test("what is no number cannot be sent", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(problem(() => encodeValue(value))).toBe("Failed to convert js number to serde_json::Number");
  });
});

test("strings are quoted as JSON.stringify does, lone surrogates replaced", () => {
  for (const text of [
    "",
    "plain",
    'a"b\\c',
    "\u0000\u001f\u007f\n\t",
    "żółć \u{1F600}",
    "\u2028",
    "x".repeat(100),
    `${"x".repeat(100)}"`,
  ])
    expect(quote(text)).toBe(JSON.stringify(text));
  expect(quote("a\ud800b")).toBe('"a\ufffdb"');
  expect(quote(`${"x".repeat(60)}\udc00`)).toBe(`"${"x".repeat(60)}\ufffd"`);
});

test("dates, decimals, big integers, classes and inherited keys", () => {
  class Point {
    constructor(public x: number) {}
    get sum(): number {
      return this.x;
    }
    toJSON(): string {
      return "not called";
    }
  }
  expect(encodeValue([new Date(0), new Date(1), new Date(Number.NaN), 7n, newDecimal("1.50")])).toBe(
    '["1970-01-01T00:00:00Z","1970-01-01T00:00:00.001Z","1970-01-01T00:00:00Z","7","1.5"]',
  );
  expect(
    encodeValue([
      new Point(1),
      Object.assign(Object.create({ a: 1 }) as object, { b: 2 }),
      new Map([[1, 2]]),
      { u: undefined, n: null },
    ]),
  ).toBe('[{"x":1},{"b":2,"a":1},{},{"n":null}]');
  expect(problem(() => encodeValue(new Date(8.64e15)))).toContain("outside the supported range");
  expect(problem(() => encodeValue([undefined]))).toContain("undefined cannot be represented");
  expect(problem(() => encodeValue({ f: () => 1 }))).toContain("JS functions cannot be represented");
});

test("a value inside itself is refused instead of ending the process", () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  expect(problem(() => encodeValue(loop))).toContain("maximum nesting depth of 128");
});

test("plain data of a payload is a copy: dates are texts, __proto__ stays a key", () => {
  const payload = { at: new Date(0), list: [newDecimal("1.5")], o: JSON.parse('{"__proto__":1}') as object };
  expect(JSON.stringify(toPlain(payload))).toBe('{"at":"1970-01-01T00:00:00Z","list":["1.5"],"o":{"__proto__":1}}');
});

describe("message codecs", () => {
  const codec = compileMessageCodec(
    { decls: {} },
    struct({ id: str, "n?": num, "at?": time, "extra?": any }),
    newDecimal,
  );

  test("a message comes back as it was, without what its type does not know", () => {
    const message = {
      id: "x",
      n: 1.5,
      at: new Date("2024-01-02T03:04:05.678Z"),
      extra: { deep: [1, null] },
      unknown: true,
    };
    expect(codec.decode(codec.encode(message))).toEqual({
      id: "x",
      n: 1.5,
      at: message.at,
      extra: { deep: [1, null] },
    });
    expect(codec.decode(codec.encode(message))).toEqual(codec.decode(Buffer.from(codec.encode(message))));
  });

  test("a message that does not fit says where", () => {
    expect(problem(() => codec.decode('{"id":"x","n":"1"}'))).toBe(
      'n: invalid type: string "1", expected a number at line 1 column 17',
    );
    expect(problem(() => codec.encode("text"))).toBe("Expect value to be Object, but received String");
  });

  test("accessors of a prototype are not fields", () => {
    class Message {
      get id(): string {
        return "hidden";
      }
    }
    expect(codec.encode(new Message())).toBe("{}");
    expect(codec.encode(Object.create({ id: "inherited" }))).toBe('{"id":"inherited"}');
  });
});
