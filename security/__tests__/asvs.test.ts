// docs/asvs.md claims what the standard asks of us and what holds it: here the page is held to the standard's numbers, to
// existing files and to the names of tests in them.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");

/** ASVS 5.0.0: how many requirements of levels 1 and 2 each section has. Their numbers run from 1 without a gap. */
const requirementsOf: Record<string, number> = Object.fromEntries(
  `1.1:2 1.2:9 1.3:11 1.4:3 1.5:2 2.1:3 2.2:3 2.3:4 2.4:1 3.2:2 3.3:4 3.4:6 3.5:5 3.7:2 4.1:3 4.2:1 4.3:2 4.4:4 5.1:1 5.2:3
  5.3:2 5.4:3 6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2 8.1:2 8.2:3 8.3:1 8.4:1 9.1:3
  9.2:4 10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3 11.1:2 11.2:3 11.3:3 11.4:4 11.5:1 11.6:1 12.1:3 12.2:2 12.3:4
  13.1:1 13.2:5 13.3:2 13.4:5 14.1:2 14.2:4 14.3:3 15.1:3 15.2:3 15.3:7 16.1:1 16.2:5 16.3:4 16.4:3 16.5:3 17.1:1 17.2:4 17.3:2`
    .split(/\s+/)
    .map((entry) => entry.split(":"))
    .map(([section = "", count]) => [section, Number(count)]),
);
const numbers = Object.entries(requirementsOf).flatMap(([section, count]) =>
  Array.from({ length: count }, (_, index) => `${section}.${index + 1}`),
);

const ROW = /^\| (\d+\.\d+\.\d+) \| ([12]) \| ([^|]+) \| ([^|]+) \|$/;
const PLACE = /`([\w./-]+)`(?: "([^"]+)")?/g;
/** Why not, or with what it comes: a word alone says neither. */
const WITHOUT_PLACE = /^(?:not applicable|open): \S+ \S+ \S.*$/;

const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** A test file, or a part of one that stands in a file of its own. */
const holdsTests = (path: string): boolean =>
  path.endsWith(".test.ts") || (path.includes("/__tests__/") && /^ *test(?:\.each)?[(<]/m.test(read(path)));

const HEAD = /^ *(test|it|describe)(?:\.(\w+))*[(<]/;

/** Whether a test that runs has this name: neither a describe, nor one that is passed over or stands in a comment. */
function hasTest(text: string, name: string): boolean {
  const quoted = `"${name}"`;
  for (let at = text.indexOf(quoted); at >= 0; at = text.indexOf(quoted, at + 1)) {
    const before = text.slice(0, at);
    if (!/(?:\b(?:test|it)|\))\($/.test(before.trimEnd())) continue;
    // The name of a table's tests stands behind its rows.
    const lines = before.split("\n");
    const head = lines.findLast((line) => HEAD.test(line)) ?? "";
    const isComment = lines.at(-1)?.trimStart().startsWith("//") === true;
    if (!isComment && !/^ *describe|\.(?:skip|todo|only|fails)\b/.test(head) && head !== "") return true;
  }
  return false;
}

/** What is wrong with the last column of a row; undefined when nothing is. */
function problemOf(holder: string): string | undefined {
  const places = [...holder.matchAll(PLACE)];
  if (places.length === 0) return WITHOUT_PLACE.test(holder) ? undefined : "names no place and gives no reason";
  for (const [, path = "", name] of places) {
    if (!existsSync(join(root, path))) return `no file ${path}`;
    if (holdsTests(path) !== (name !== undefined)) return `a test needs its name, and only a test: ${path}`;
    if (name !== undefined && !hasTest(read(path), name)) return `no test "${name}" in ${path}`;
  }
  return undefined;
}

/** Everything that is wrong with a page. */
function problemsOf(page: string): string[] {
  const lines = page.split("\n").filter((line) => /^\| *V?\d/.test(line));
  const rows = lines.map((line) => ROW.exec(line));
  const seen = rows.map((row) => row?.[1] ?? "");
  return [
    ...lines.filter((_, index) => rows[index] === null).map((line) => `no row of four columns: ${line}`),
    ...numbers.filter((number) => !seen.includes(number)).map((number) => `${number} is missing`),
    ...seen.filter((number, index) => number !== "" && !numbers.includes(number) && seen.indexOf(number) === index),
    ...seen
      .filter((number, index) => number !== "" && seen.indexOf(number) !== index)
      .map((number) => `${number} twice`),
    ...rows.flatMap((row) => {
      const problem = row === null ? undefined : problemOf(row[4] ?? "");
      return problem === undefined ? [] : [`${row?.[1]}: ${problem}`];
    }),
  ];
}

/** Sections of the standard that ask for documents: no test can execute what they ask for. */
const DOCUMENTATION = /^(?:2|5|6|7|8|11|13|14|15|16)\.1\./;

/** Of what a server can meet by its code: how many rows there are, and how many name an executing test. */
function executed(page: string): { rows: number; held: number } {
  const rows = page.split("\n").flatMap((line) => {
    const [, number = "", , , holder = ""] = ROW.exec(line) ?? [];
    const isOfOthers = holder.startsWith("not applicable") || /^open: .*\bdeploy\b/.test(holder);
    return number === "" || isOfOthers || DOCUMENTATION.test(number) ? [] : [holder];
  });
  const held = rows.filter((holder) => [...holder.matchAll(PLACE)].some(([, path = ""]) => holdsTests(path)));
  return { rows: rows.length, held: held.length };
}

describe("docs/asvs.md", () => {
  const page = read("docs/asvs.md");

  test("of what a server can meet by its code nine in ten are held by an executing test", () => {
    const { rows, held } = executed(page);
    process.stdout.write(
      `ASVS 5.0, levels 1 and 2: ${held} of ${rows} by a test, ${((held / rows) * 100).toFixed(1)} %\n`,
    );
    expect(rows).toBeGreaterThan(130);
    expect(held / rows).toBeGreaterThanOrEqual(0.9);
  });

  test("has one row for each requirement of levels 1 and 2, and each names what holds it or why not", () => {
    expect(numbers).toHaveLength(253);
    expect(problemsOf(page)).toEqual([]);
  });

  test.each<[string, RegExp, string, string]>([
    ["without a row", /^\| 9\.1\.1 .*\n/m, "", "9.1.1 is missing"],
    ["with a row twice", /^(\| 9\.1\.1 .*\n)/m, "$1$1", "9.1.1 twice"],
    ["with a number that the standard does not have", /^\| 9\.1\.1 /m, "| 9.1.9 ", "9.1.9"],
    ["with a file that is not there", /access-token\.test\.ts/, "gone.test.ts", "no file auth/__tests__/gone.test.ts"],
    ["with a test that its file does not have", /one character/, "two characters", "no test"],
    ["with a group of tests", /"is refused with any one character of it changed"/, '"an access token"', "no test"],
    ["with a test's file alone", / "is refused with any one character of it changed"/, "", "a test needs its name"],
    ["with a part of a test file alone", / "are of the algorithm that is set[^"]*"/, "", "a test needs its name"],
    ["with a reason that is none", /not applicable: nothing here typesets/, "not applicable", "gives no reason"],
  ])("%s is refused", (_what, found, replacement, problem) => {
    const broken = page.replace(found, replacement);
    expect(broken).not.toBe(page);
    expect(problemsOf(broken).join("\n")).toContain(problem);
  });

  test.each([
    ['test("a b", () => {', true],
    ['  test.each([\n    ["x"],\n  ])("a b", (x) => {', true],
    ['describe("a b", () => {', false],
    ['  test.skip("a b", () => {', false],
    ['  // test("a b", () => {', false],
    ['test("c", () => {\n  expect(x).toBe("a b");', false],
  ])("%j has the named test: %s", (text, has) => expect(hasTest(text, "a b")).toBe(has));
});
