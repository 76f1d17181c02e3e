// What each kind of value may be bound to (7.4) and how columns are read (7.5) where the recorded answers stop: the expected texts and values
// are those of the official runtime's own conversions (its PValue, malachite 0.6, chrono 0.4, cidr 0.3), run over the same statements.
import { afterAll, beforeAll, expect, test } from "vitest";
import { QueryArgs, type SqlDatabase } from "../native-classes";
import { all, DecimalText, freshDatabase, one } from "./support";

let drop: () => Promise<void>;
let db: SqlDatabase;

beforeAll(async () => {
  ({ db, drop } = await freshDatabase());
  await all(db, "create extension if not exists vector");
  await all(db, "create type mood as enum ('sad', 'ok')");
  await all(db, "create domain positive as int check (value > 0)");
  await all(db, "create type pair as (a int, b mood)");
});
afterAll(() => drop());

const decimal = (value: string): object => ({ __encore_decimal: true, value });
const problem = async (sql: string, ...params: unknown[]): Promise<string> => {
  try {
    await all(db, sql, ...params);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it did not fail");
};

// 7.4, H-83: integers of 32 bits are integers, every other number is a float.
test.each([
  ["text", 4294967295, "4294967295"],
  ["text", 4294967296, "4294967296.0"],
  ["text", -2147483649, "-2147483649.0"],
  ["text", 1e16, "1e+16"],
  ["text", 1e-7, "1e-7"],
  ["text", -0, "0"],
  ["json", { a: 5e9, b: [1e21, -0] }, '{"a":5000000000.0,"b":[1e+21,0]}'],
  ["jsonb", 5e9, "5000000000.0"],
  ["text[]", [5e9], "{5000000000.0}"],
  ["int8", 2 ** 63, "9223372036854775807"],
  ["bytea", 2 ** 32, "\\x41f0000000000000"],
  ["bytea", new Float32Array([1]), "\\x0000803f"],
  ["float8", -0, "0"],
  ["text", new Date("+012345-01-01T00:00:00Z"), "+12345-01-01T00:00:00+00:00"],
  ["text", decimal("0.000001"), "1e-6"],
  ["float8", decimal("1.5"), "1.5"],
  ["float4", 16777216n, "1.6777216e+07"],
  ["uuid", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["uuid", "urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["uuid", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["date", "24-1-5", "0024-01-05"],
  ["date", " 2024-01-05", "2024-01-05"],
  ["date", "+10000-01-01", "10000-01-01"],
  ["time", "1: 2:3", "01:02:03"],
  ["timestamp", "2024-01-31T12:34:56.5 ", "2024-01-31 12:34:56.5"],
  ["inet", "10.0.0.1/+8", "10.0.0.1/8"],
  ["vector", "[1.5, 2 ,3e1]", "[1.5,2,30]"],
  ["mood", "ok", "ok"],
])("7.4: a %s takes %o as %s", async (type, given, stored) => {
  expect(await one(db, `select $1::${type}::text`, given)).toBe(stored);
});

const refusal = (text: string): string => `error serializing parameter 0: ${text}`;
const noForm = (type: string): string =>
  refusal(
    `cannot convert between the Rust type \`encore_runtime_core::sqldb::val::RowValue\` and the Postgres type \`${type}\``,
  );

test.each([
  ["int4", 4294967295, refusal("out of range integral type conversion attempted")],
  ["int4", 4294967296, refusal("number 4294967296 is not an i32")],
  ["int2", 1e21, refusal("number 1000000000000000000000 is not an i16")],
  ["oid", 1e-7, refusal("number 0.0000001 is not an u32")],
  ["oid", 1n, refusal("unsupported type for Decimal: oid")],
  ["bool", decimal("1"), refusal("unsupported type for Decimal: bool")],
  ["text[]", [decimal("1"), {}], refusal("object not supported for column of type text")],
  ["float8", decimal("0.1"), refusal("Cannot convert decimal to FLOAT8")],
  ["float4", 16777217n, refusal("Cannot convert decimal to FLOAT4")],
  ["name", true, refusal("bool not supported for column of type name")],
  ["name", new Date(0), refusal("unsupported type for DateTime: name")],
  ["mood", 1n, refusal("unsupported type for Decimal: mood")],
  ["vector", [1, null], refusal("vector element must be a number")],
  ["vector", [decimal("1")], refusal("vector element must be a number")],
  ["vector", "[+1]", refusal("unable to parse vector")],
  ["cidr", "10.0.0.1/8", refusal("unable to parse cidr")],
  ["uuid", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", refusal("unable to parse uuid")],
  ["date", "10000-01-01", refusal("input contains invalid characters")],
  ["date", "2024-02-30T00", refusal("trailing input")],
  ["date", "2024-02-30", refusal("input is out of range")],
  ["date", "2024-01", refusal("premature end of input")],
  ["time", "12:34:56.5", refusal("trailing input")],
  ["timestamp", "2024-01-31 12:34:56", refusal("input contains invalid characters")],
  ["positive", 1, noForm("positive")],
  ["positive", null, noForm("positive")],
  ["interval", "1 day", noForm("interval")],
])("7.4: a %s refuses %o", async (type, given, text) => {
  expect(await problem(`select $1::${type}::text`, given)).toBe(text);
});

const inherited = Object.create({ from: "prototype" }) as Record<string, unknown>;
inherited.own = 1;

test("N-1: what the native interface makes of a parameter", async () => {
  expect(await one(db, "select $1::json::text", inherited)).toBe('{"from":"prototype","own":1}');
  expect(() => new QueryArgs([Array(2)])).toThrow("undefined cannot be represented as a serde_json::Value");
  expect(() => new QueryArgs([new Date(8.64e15)])).toThrow(
    "timestamp 8640000000000000ms is outside the supported range",
  );
  const circle: { self?: unknown } = {};
  circle.self = circle;
  expect(() => new QueryArgs([circle])).toThrow(
    "value exceeds the maximum nesting depth of 128; does it contain a circular reference?",
  );
});

// 7.5
test.each([
  ["'12:00:00.5'::time", "12:00:00.500"],
  ["'12:00:00.12'::time", "12:00:00.120"],
  ["'12:00:00.1234'::time", "12:00:00.123400"],
  ["'24:00'::time", "00:00:00"],
  ["'10.1.2.3/32'::cidr", "10.1.2.3"],
  ["'2001:db8::1/128'::cidr", "2001:db8::1"],
  ["'10.0.0.0/8'::cidr", "10.0.0.0/8"],
  ["'::1.2.3.4'::inet", "::102:304"],
  ["'::ffff:1.2.3.4'::inet", "::ffff:1.2.3.4"],
  ["'{10.0.0.0/8,10.0.0.1}'::cidr[]", ["10.0.0.0/8", "10.0.0.1"]],
  ["'1 2'::int2vector", [1, 2]],
  ["'{1,2}'::int[]", [1, 2]],
  ["5::positive", 5],
  ["0.000001::numeric", new DecimalText("1e-6")],
  ["0.00001::numeric", new DecimalText("0.00001")],
  ["'1e2'::json", 100],
])("7.5: %s is read as %o", async (expression, value) => {
  expect(await one(db, `select ${expression} as v`)).toEqual(value);
});

test.each([
  ["'294276-12-31'::date", '"value too large to decode"'],
  ["'270000-01-01'::timestamptz", '"value too large to decode"'],
  ["'1e400'::jsonb", 'Error("number out of range", line: 1, column: 401)'],
  [String.raw`'"\ud800"'::json`, 'Error("unexpected end of hex escape", line: 1, column: 8)'],
])("7.5: %s cannot be read", async (expression, cause) => {
  expect(await problem(`select ${expression} as v`)).toBe(
    `unable to parse column v: Error {\n    kind: FromSql(\n        0,\n    ),\n    cause: Some(\n        ${cause},\n    ),\n}`,
  );
});

test("7.5: what has no form is told with what it is made of", async () => {
  expect(await problem("select '{[1,5)}'::int4multirange as v")).toContain("postgres: Int4multiRange,");
  const text = (await problem("select row(1, 'ok')::pair as v")).replace(/oid: \d+/g, "oid: N").replace(/\s+/g, " ");
  expect(text).toContain(
    'Other { name: "pair", oid: N, kind: Composite( [ Field { name: "a", type_: Int4, }, Field { name: "b", type_: Other( Other { name: "mood", oid: N, kind: Enum( [ "sad", "ok", ], ), schema: "public",',
  );
  expect(await problem("select array[5::positive] as v")).toContain("kind: Domain(");
});

test("D-30: a code that is not Postgres' own is told as such", async () => {
  expect(await problem("do $$ begin raise exception 'boom' using errcode = 'XX123'; end $$")).toMatch(
    /SqlState\(\s+Other\(\s+"XX123"/,
  );
  expect(await problem("do $$ begin raise exception 'boom' using errcode = '22012'; end $$")).toMatch(
    /SqlState\(\s+E22012,/,
  );
});

test("bytes are read in either output style of the session", async () => {
  const connection = await db.acquire();
  await all(connection, "set bytea_output = 'escape'");
  expect(await one(connection, String.raw`select '\x5c00ff61'::bytea`)).toEqual(
    new Uint8Array([0x5c, 0, 0xff, 0x61]).buffer,
  );
  await connection.close();
});
