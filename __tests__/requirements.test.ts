// docs/requirements.md is what a reader trusts to know what is there: no row without a word, no path that leads nowhere.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

interface Row {
  id: string;
  places: string[];
  heldBy: string;
}

/** The rows of the page's tables: `| A1 | requirement | lives in | held by |`. */
function rowsOf(page: string): Row[] {
  return page
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => /^[A-E]\d+$/.test(cells[1] ?? ""))
    .map((cells) => ({ id: cells[1] ?? "", places: pathsIn(cells[3] ?? ""), heldBy: cells[4] ?? "" }));
}

function pathsIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
}

/** What is wrong with one row; nothing when it is in order. */
function faultsOf({ id, places, heldBy }: Row): string[] {
  const isOpen = /^open \([a-z][^)]*\)$/.test(heldBy);
  const tests = pathsIn(heldBy);
  const missing = [...places, ...tests].filter((path) => !existsSync(join(root, path)));
  return [
    ...missing.map((path) => `${id} names ${path}, which is not there`),
    ...(isOpen || tests.length > 0 ? [] : [`${id} names no test, nor says "open (what it comes with)"`]),
    ...tests.filter((path) => !path.endsWith(".test.ts")).map((path) => `${id}: ${path} is no test`),
    ...(isOpen || places.length > 0 ? [] : [`${id} is not open and says nowhere where it lives`]),
  ];
}

describe("docs/requirements.md", () => {
  const rows = rowsOf(readFileSync(join(root, "docs", "requirements.md"), "utf8"));

  test("has every requirement once, numbered without a gap", () => {
    const expected = ["A", "B", "C", "D", "E"].flatMap((letter) => {
      const count = rows.filter(({ id }) => id.startsWith(letter)).length;
      return Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
    });
    expect(rows.map(({ id }) => id)).toEqual(expected);
    expect(rows.length).toBeGreaterThan(100);
  });

  test("says of each where it lives and which test holds it, or that it is open", () => {
    expect(rows.flatMap(faultsOf)).toEqual([]);
  });

  test("would notice a path that leads nowhere, a row without a word, and a test that is none", () => {
    const [gone, silent, source, homeless] = rowsOf(
      [
        "| A1 | x | `config/gone.ts` | `config/__tests__/schema.test.ts` |",
        "| A2 | x | `config/schema.ts` | |",
        "| A3 | x | `config/schema.ts` | `config/flags.ts` |",
        "| A4 | x | | `config/__tests__/schema.test.ts` |",
      ].join("\n"),
    );
    expect([gone, silent, source, homeless].map((row) => (row ? faultsOf(row).length : 0))).toEqual([1, 1, 1, 1]);
  });
});
