// Readers and writers at a pace: wherever they are told to pause, they go on to the same answer, value or error, as without.
import { expect, test } from "vitest";
import type { Schema } from "../../model";
import { checkValue, encodePaced, encodeValue, toPlain } from "../encoder";
import { JsonDecoderCompiler } from "../json-decoder";
import { JsonReader } from "../json-reader";
import { Pace, PAUSED, type Paused } from "../pace";
import { plainMaker } from "../plain";
import { ShapeResolver } from "../shape";
import {
  any,
  bool,
  checked,
  decimal,
  list,
  lit,
  map,
  newDecimal,
  nothing,
  num,
  str,
  struct,
  time,
  union,
} from "./support";

/** Calls `work` until it is done, with a pause at every `steps`th element; its answer and how often it paused. */
function paced<T>(steps: number, work: (pace: Pace) => T | Paused): { value: T; pauses: number } {
  const pace = new Pace();
  for (let pauses = 0; ; pauses++) {
    pace.beginWith(steps);
    const value = work(pace);
    if (value !== PAUSED) return { value, pauses };
  }
}

const answer = (run: () => unknown): unknown => {
  try {
    return { value: run() };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : error };
  }
};

const tree: Schema = { kind: "named", id: "Tree" };
const decls = {
  Tree: {
    id: "Tree",
    name: "Tree",
    type: struct({ "value?": union(num, list(num), tree), "more?": list(tree), "by?": map(tree) }),
  },
} as never;

const email = checked(str, { rule: "is", value: "email" });
const rows = struct({ id: num, "name?": str, "at?": time, tags: list(str), "rest?": any });
const fields = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}${i % 2 ? "?" : ""}`, list(num)]));
const all = `{${Array.from({ length: 40 }, (_, i) => `"f${i}":[${i},1]`).join()}}`;

const cases: [string, Schema, string][] = [
  ["free-form", any, '{"a":[1,2.5,"x",null,true,{"b":{}}],"__proto__":[[],[[3]]],"c":-0}'],
  ["a list", list(num), "[1,2,3,4,5,9007199254740993,1e3]"],
  ["a list of lists", list(list(str)), '[["a","b"],[],["c"]]'],
  ["a record", map(list(num)), '{"a":[1,2],"b":[],"c":[3,4,5]}'],
  ["dates", list(time), '["2026-01-01T00:00:00Z","2026-01-02T00:00:00Z"]'],
  ["decimals", list(decimal), '["1.10","2","3"]'],
  ["addresses", list(email), '["a@example.com","b@example.com"]'],
  [
    "objects",
    list(rows),
    '[{"tags":["x","y"],"id":1,"rest":{"z":[1]}},{"id":2,"tags":[],"unknown":[1,[2,{"k":[]}],3,4]}]',
  ],
  ["an optional object", struct({ "a?": rows, "b?": nothing }), '{"a":{"id":1,"tags":["q"]},"b":null}'],
  ["a union of lists", union(list(str), list(num), any), "[1,2,3,4.5]"],
  [
    "a union of objects",
    union(struct({ kind: lit("a"), v: list(num) }), struct({ kind: lit("b"), v: list(str) })),
    '{"kind":"b","v":["x","y","z"]}',
  ],
  ["a union with free-form", union(bool, map(any)), '{"a":[1.5,{"b":[2]}],"c":3}'],
  ["a list of unions", list(union(num, list(str))), '[1,["a","b"],2,["c"]]'],
  [
    "a type inside itself",
    tree,
    '{"value":{"value":[1,2]},"more":[{"value":3},{"more":[{}]}],"by":{"x":{"value":[1]}}}',
  ],
  ["more fields than a number has bits", struct(fields), all],
  ["a checked list", checked(list(num), { rule: "minLen", value: 2 }), "[1,2,3]"],
  ["ignored values", struct({ "a?": num }), '{"x":[1,2,[3,[]],{"y":{"z":[]}},"s"],"a":1,"w":{},"v":[[[[]]]]}'],
  ["escapes", list(str), '["a\\n\\u00e9\\ud83d\\ude00","\\\\\\"","plain"]'],
];
const broken = cases.flatMap(([name, schema, text]): [string, Schema, string][] => [
  [`${name}, cut off`, schema, text.slice(0, -1)],
  [`${name}, cut in the middle`, schema, text.slice(0, text.length / 2)],
  [`${name}, with something else in the middle`, schema, text.replace(/,(?=[^,]*,[^,]*$)/, ",!")],
  [`${name}, with something else at the end`, schema, text.replace(/(\d|"[a-z]*")(?=[\]}]*$)/, "false")],
]);

test.each([...cases, ...broken])("%s", (_name, schema, text) => {
  const decode = new JsonDecoderCompiler(newDecimal).compile(new ShapeResolver(decls).resolve(schema));
  const atOnce = answer(() => decode(new JsonReader(text)));
  for (const steps of [1, 2, 3, 7]) {
    let pauses = 0;
    const inSteps = answer(() => {
      const reader = new JsonReader(text);
      const read = paced(steps, (pace) => {
        reader.pace = pace;
        return decode(reader);
      });
      pauses = read.pauses;
      return read.value;
    });
    expect(inSteps, `${steps} steps`).toEqual(atOnce);
    if (steps === 1 && "value" in (atOnce as object)) expect(pauses).toBeGreaterThan(0);
  }
});

test.each<[string, unknown]>([
  ["lists and objects", { a: [1, [2, { b: "x" }], []], c: { d: [true, null] }, e: undefined }],
  ["dates, decimals, big integers", [new Date(0), newDecimal("1.5"), 12n, { at: new Date(1) }]],
  ["inherited keys", Object.create({ inherited: [1, 2] }, { own: { value: 1, enumerable: true } })],
  [
    "long pieces",
    { list: Array(4000).fill("abc"), map: Object.fromEntries(Array(2000).entries()), s: "x".repeat(9000) },
  ],
  ["a value that cannot be sent", { a: [1, 2, { f: () => 1 }] }],
  ["a list with a hole", [1, [2, undefined]]],
])("writing %s", (_name, value) => {
  const atOnce = answer(() => encodeValue(value));
  for (const steps of [1, 2, 5])
    expect(answer(() => paced(steps, (pace) => encodePaced(value, 1, pace)).value)).toEqual(atOnce);
});

test("a value that changes while it is written is written without an error, each of its elements at most once", () => {
  const value: { list: unknown[]; map: Record<string, unknown> } = {
    list: [[1], [2], [3], [4]],
    map: { a: [1], b: [2], c: [3] },
  };
  let text: string | Paused = PAUSED;
  const pace = new Pace();
  for (let i = 0; text === PAUSED; i++) {
    if (i === 2) value.list.length = 2;
    if (i === 6) delete value.map.b;
    pace.beginWith(1);
    text = encodePaced(value, 1, pace);
  }
  expect(JSON.parse(text)).toEqual({ list: [[1], [2]], map: expect.objectContaining({ a: [1], c: [3] }) as unknown });
});

test("values are made plain where they stand as they are in a copy", () => {
  const made = (): object => ({
    at: new Date(0),
    list: [new Date(1), [newDecimal("1.10")], {}, [], null, "x", 1],
    ["__proto__"]: { at: new Date(2) },
    empty: {},
  });
  const withOwnProto = (): object =>
    Object.defineProperty(made(), "__proto__", {
      value: new Date(3),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  for (const make of [made, withOwnProto]) {
    for (const steps of [0, 1, 2, 3, 5, 100]) {
      const { value } = paced(steps, plainMaker(make()));
      expect(JSON.stringify(value)).toBe(JSON.stringify(toPlain(make())));
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    }
  }
});

test.each([1, 4_000, 4_999, 5_001, 40_000])(
  "a value with a mistake as its part %s is refused, or left to a paced look",
  (at) => {
    const list: unknown[] = Array(at).fill(0);
    expect(checkValue({ list })).toBe(at < 4_999);
    list.push(() => 1);
    const isRefused = answer(() => checkValue({ list }));
    expect(isRefused).toEqual(
      at < 5_000 ? { problem: "JS functions cannot be represented as a serde_json::Value" } : { value: false },
    );
  },
);
