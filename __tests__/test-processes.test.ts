// Test files that share a process (scripts/testing/) must leave it as they found it. What their text tells is held
// here; that they pass in any order, `npm test -- --sequence.shuffle.files` shows.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sharesProcess, sharingSuites, suitesApart } from "../scripts/testing/suites";

const root = join(import.meta.dirname, "..");
const skipped = ["node_modules", "dist", ".groundwork", "parity", "fixtures"];

function suitesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.includes(entry.name) ? [] : suitesIn(path);
    return folder.includes("__tests__") && entry.name.endsWith(".test.ts") ? [path] : [];
  });
}

const suites = suitesIn("");

test("the lists name suites that exist", () => {
  expect([...sharingSuites, ...suitesApart].filter((file) => !suites.includes(file))).toEqual([]);
});

test("no suite that replaces modules, opens the app's database or counts the process's time shares its process", () => {
  const marks = [
    "vi.mock(",
    "vi.doMock(",
    "vi.hoisted(",
    "vi.resetModules(",
    "process.cpuUsage(",
    'from "../testing"',
    'from "../../db/tenant"',
  ];
  const sharing = suites.filter(sharesProcess);
  expect(sharing.length).toBeGreaterThan(50);
  const own = "__tests__/test-processes.test.ts";
  const wrong = sharing.filter((file) => {
    const text = readFileSync(join(root, file), "utf8");
    return file !== own && marks.some((mark) => text.includes(mark));
  });
  expect(wrong, "add them to suitesApart in scripts/testing/suites.ts").toEqual([]);
});

test("suites for native servers, and long ones, have a process of their own", () => {
  expect(suites.filter((file) => /\.(pg|long|web)\.test\.ts$/.test(file)).filter(sharesProcess)).toEqual([]);
});
