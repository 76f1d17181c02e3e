// Contents of every kind that JSON has, from a seed: what one program writes otherwise than another.
const TEXTS: readonly string[] = [
  "",
  "plain",
  "ünïcödé ✓ 日本語 👩‍👩‍👧",
  "e\u0301 is not é",
  'quoted " and \\ and / and <b>&amp;',
  "line\nfeed\ttab\r\u0001\u001f\u007f\u2028\u2029\ufeff\uffff",
  "1e21",
  "null",
  "x".repeat(5_000),
];
const NUMBERS: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.1,
  -123456789.123456,
  2 ** 53,
  1e20,
  1e21,
  1e-7,
  1.5e300,
  5e-324,
  100,
];

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

const oneOf = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

export function jsonValue(random: () => number, depth = 4): Json {
  const kind = Math.floor(random() * (depth === 0 ? 4 : 6));
  if (kind === 0) return oneOf(random, TEXTS);
  if (kind === 1) return oneOf(random, NUMBERS);
  if (kind === 2) return random() < 0.5;
  if (kind === 3) return null;
  const length = Math.floor(random() * 4);
  if (kind === 4) return Array.from({ length }, () => jsonValue(random, depth - 1));
  return Object.fromEntries(
    Array.from({ length }, (_, n) => [`${oneOf(random, TEXTS)}${n}`, jsonValue(random, depth - 1)]),
  );
}
