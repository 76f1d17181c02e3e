// `MatchesRegexp` takes time in proportion to the text, whatever the pattern, and answers as an engine that backtracks would
// if it had the time.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { overgrowth } from "../../../scripts/testing/growth";
import { compileRegexp, RegexpLimit } from "../regexp";
import { compileCheck } from "../validation";
import { Work } from "../work";
import { checked, decoder, list, str, struct } from "./support";

/** What a pattern's worst text is made of, again and again, and how it ends. */
const worst: [pattern: string, piece: string, end: string][] = [
  ["^([a-z0-9]+-?)+$", "a", "!"],
  ["^(a+)+$", "a", "b"],
  ["^(a|a)*$", "a", "b"],
  ["^(a|aa)+$", "a", "b"],
  ["(.*)*x", "a", ""],
  ["(a*)*b", "a", ""],
  ["^(\\w+\\s?)*$", "a", "!"],
  ["^(([a-z])+.)+[A-Z]([a-z])+$", "a", ""],
  ["(x+x+)+y", "x", ""],
  ["\\s+$", " ", "a"],
  ["a*a*a*a*a*a*b", "a", ""],
  ["^(?:.|\\n)*?z", "a\n", ""],
  ["(?:\\bword\\b\\s*)+!", "word ", ""],
  ["^[\\w.+-]+@([\\w-]+\\.)+[a-z]{2,}$", "a.", "@"],
  ["^(\\p{L}+\\p{M}*)+$", "é", "!"],
  ['^(?:[^"\\\\]|\\\\.)*"$', "\\a", ""],
];

/** What a request may cost, and what a step may still add to it: it visits each position of the pattern once. */
const VISITS_MAX = 1_000_000 + 10_000;

describe("time", () => {
  test.each(worst)("%s is linear in its worst text", async (pattern, piece, end) => {
    const regexp = compileRegexp(pattern);
    const text = (bytes: number): string => piece.repeat(Math.ceil(bytes / piece.length)) + end;
    const visits = (bytes: number): number => {
      const work = new Work();
      compileRegexp(pattern).test(text(bytes), work);
      return work.visits;
    };
    expect(regexp.test(text(100))).toBe(regexp.test(text(99)));
    // What a text leads to is remembered: a longer one of the same leads to nothing else.
    expect(visits(100_000)).toBe(visits(1_000));
    expect(await overgrowth(100_000, text, (long) => regexp.test(long))).toBeUndefined();
  });

  let seed = 1;
  const random = (bytes: number): string =>
    Array.from({ length: bytes }, () => ((seed = (seed * 48271) % 0x7fffffff) & 1 ? "a" : "b")).join("");

  test("a pattern with more states than are kept stays linear, and within its limit", () => {
    const regexp = compileRegexp("(?:a|b)*a(?:a|b){14}c");
    expect(regexp.test(`${random(20_000)}a${"b".repeat(14)}c`)).toBe(true);
    expect(regexp.test(random(20_000))).toBe(false);
    const endless = random(1_000_000);
    const work = new Work();
    expect(() => regexp.test(endless, work)).toThrow(RegexpLimit);
    expect(work.visits).toBeLessThanOrEqual(VISITS_MAX);
    expect(regexp.test(random(1_000))).toBe(false);
  });

  test("a text over the limit is a problem of the value, not an error of the server", () => {
    const check = compileCheck({ rule: "matchesRegexp", value: "(?:a|b)*a(?:a|b){60}c" });
    const long = "ab".repeat(50_000) + "a".repeat(1 << 20).replace(/a{7}/g, "aaabbab");
    expect(check(long, false, new Work())).toMatch(/^value (?:is too long for|does not match) the regexp /);
  });

  test("a list of texts may take no longer than one of them", () => {
    const decode = decoder(
      struct({ v: list(checked(str, { rule: "matchesRegexp", value: "(?:a|b)*a(?:a|b){60}c" })) }),
    );
    const texts = Array.from({ length: 5_000 }, () => `${random(300)}a${random(60)}c`);
    const body = JSON.stringify({ v: texts });
    // Each of them costs a fraction of what all may cost: it ends at one of the first.
    expect(() => decode(body)).toThrow(/v\[\d\d\]: value is too long for/);
    expect(() => decode(JSON.stringify({ v: texts.slice(0, 3) }))).not.toThrow();
  });
});

test.each(["a{20000}", "(a{500}){500}", "(?:){999999999}{999999999}a{1,10001}"])(
  "%s is refused at the start",
  (pattern) => expect(() => compileRegexp(pattern)).toThrow(/the pattern is too large/),
);

test("what repeats nothing costs nothing", () => {
  expect(compileRegexp("^(?:){9999}{9999}(?:(?:)*|(?:)+)*$").test("")).toBe(true);
});

/** Patterns that mean the same to Rust and to JavaScript. */
const patterns = fc.letrec<{ node: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom("a", "b", "c", "-", "[ab]", "[^a]", "[b-d]", "\\.", "\\n", "ż", "[^ż]", "😀"),
    fc.constantFrom("^", "$"),
    tie("node").map((inner) => `(?:${inner})`),
  ),
  node: fc
    .array(
      fc.tuple(
        tie("atom"),
        fc.constantFrom("", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "*?", "{2,}"),
        fc.constantFrom("", "", "", "|"),
      ),
      { maxLength: 4 },
    )
    // Only groups may be repeated where an assertion stands inside of them.
    .map((parts) => parts.map(([atom, quantifier, or]) => `(?:${atom})${quantifier}${or}`).join("")),
}));
const texts = fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "-", ".", "\n", "ż", "😀"), maxLength: 12 });

test("it answers as a backtracking engine", () => {
  fc.assert(
    fc.property(patterns.node, fc.array(texts, { minLength: 1, maxLength: 5 }), (pattern, all) => {
      const [own, theirs] = [compileRegexp(pattern), new RegExp(pattern, "v")];
      for (const text of all) expect(own.test(text)).toBe(theirs.test(text));
    }),
    { numRuns: 2_000, seed: 7 },
  );
});
