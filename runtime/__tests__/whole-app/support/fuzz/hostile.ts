// Values and texts that break parsers, databases and habits. Each was a real bug somewhere.
import type { Random } from "./random";

const LONG = "x".repeat(20_000);

/** Strings for paths, queries, headers' values and bodies. */
const STRINGS: readonly string[] = [
  "",
  " ",
  "null",
  "undefined",
  "NaN",
  "-1",
  "0",
  "1e400",
  "99999999999999999999999999",
  "9007199254740993",
  "true",
  "[]",
  "{}",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\u202e\u0000\ufeff",
  "Ω≈ç√∫˜µ≤≥÷ 田中さん 🙃",
  "' OR '1'='1",
  "'; drop table auth.account; --",
  "$1",
  "%",
  "\\",
  "../../../../etc/passwd",
  "..%2f..%2fetc%2fpasswd",
  "<script>alert(1)</script>",
  "${7*7}{{7*7}}",
  "__proto__",
  "constructor",
  "00000000-0000-0000-0000-000000000000",
  "01890000-0000-7000-8000-00000000000g",
  "{01890000-0000-7000-8000-000000000000}",
  "a & b | !c <-> (d",
  "2026-13-45T99:99:99Z",
  LONG,
];

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  [],
  [null],
  [[[[]]]],
  {},
  { a: {} },
  ["x", 1],
];

/** Bodies that are no JSON, or JSON that no schema expects. */
const RAW_BODIES: readonly string[] = [
  "",
  " ",
  "{",
  "}",
  '{"a":',
  '{"a":1,}',
  "{'a':1}",
  "[1,2",
  '"text"',
  "null",
  "1e999",
  "NaN",
  "{}{}",
  '{"a":1}garbage',
  '{"email":"a@b.c","email":"d@e.f"}',
  '{"__proto__":{"role":"owner"},"constructor":{"prototype":{}}}',
  '{"email":"\\ud800","password":"\\u0000"}',
  "\ufeff{}",
  "[".repeat(5_000),
  `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
  "\u0000\u0001\u0002",
  "<?xml version='1.0'?><a/>",
  "a=b&c=d",
];

export const hostileString = (random: Random): string => random.pick(STRINGS);

export const hostileValue = (random: Random): unknown =>
  random.chance(0.5) ? hostileString(random) : random.pick(VALUES);

export const hostileBody = (random: Random): string => random.pick(RAW_BODIES);

/** More than any endpoint takes by default (2 MiB), as valid JSON. */
export const oversizedBody = (): string =>
  JSON.stringify({ source: "big.md", text: "y".repeat(3 * 1024 * 1024), email: "a@example.com" });

/** Replaces, removes or adds one field somewhere in the value. */
export function mutate(value: unknown, random: Random): unknown {
  if (Array.isArray(value) && value.length > 0 && random.chance(0.7)) {
    const at = random.integer(0, value.length - 1);
    return value.map((item: unknown, index) => (index === at ? mutate(item, random) : item));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return hostileValue(random);
  const fields = Object.entries(value as Record<string, unknown>);
  const kind = random.pick(["replace", "replace", "replace", "remove", "add", "deeper"] as const);
  if (fields.length === 0 || kind === "add")
    return Object.fromEntries([...fields, [hostileString(random).slice(0, 50), hostileValue(random)]]);
  const at = random.integer(0, fields.length - 1);
  if (kind === "remove") return Object.fromEntries(fields.filter((_, index) => index !== at));
  return Object.fromEntries(
    fields.map(([name, field], index) => [
      name,
      index !== at ? field : kind === "deeper" ? mutate(field, random) : hostileValue(random),
    ]),
  );
}
