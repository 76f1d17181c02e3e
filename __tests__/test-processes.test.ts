// Test files that share a process (scripts/testing/) must leave it as they found it. What their text tells is held
// here; that they pass in any order, `npm test -- --sequence.shuffle.files` shows.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import {
  mockingSuites,
  nativeSuites,
  plainSuites,
  processGroup,
  suitesIn,
  suitesApart,
  workerSuites,
} from "../scripts/testing/suites";

const root = join(import.meta.dirname, "..");
const suites = suitesIn(root);

test("the lists name suites that exist", () => {
  const named = [...nativeSuites, ...plainSuites, ...workerSuites, ...mockingSuites, ...suitesApart];
  expect(named.filter((file) => !suites.includes(file))).toEqual([]);
});

const own = "__tests__/test-processes.test.ts";
const holding = (marks: readonly string[], files: readonly string[]): string[] =>
  files.filter((file) => {
    const text = readFileSync(join(root, file), "utf8");
    return file !== own && marks.some((mark) => text.includes(mark));
  });

test("no suite that replaces modules shares them, and none that counts the process's time shares that", () => {
  const sharing = suites.filter((file) => processGroup(file) !== "own");
  expect(sharing.length).toBeGreaterThan(100);
  expect(holding(["process.cpuUsage("], sharing), "add them to suitesApart in scripts/testing/suites.ts").toEqual([]);
  const marks = ["vi.mock(", "vi.doMock(", "vi.hoisted(", "vi.resetModules("];
  const withModules = sharing.filter((file) => processGroup(file) !== "mocking");
  expect(holding(marks, withModules), "add them to suitesApart in scripts/testing/suites.ts").toEqual([]);
});

test("no suite that runs a relay or workers shares the app's database: they take up what everybody left there", () => {
  const app = suites.filter((file) => processGroup(file) === "app");
  expect(app.length).toBeGreaterThan(30);
  const marks = ["runRelayAndWorkers(", "createRelay(", "startWorkers(", "runOnce("];
  expect(holding(marks, app), "add them to workerSuites or suitesApart in scripts/testing/suites.ts").toEqual([]);
});

test("no suite that opens the app's database shares the process of those that do not", () => {
  const plain = suites.filter((file) => ["plain", "mocking"].includes(processGroup(file)));
  expect(plain.length).toBeGreaterThan(50);
  const marks = ['from "../testing"', 'from "../../testing"', 'from "../../db/tenant"'];
  expect(holding(marks, plain), "add them to suitesApart in scripts/testing/suites.ts").toEqual([]);
});

test("suites for native servers, and long ones, have a process of their own", () => {
  expect(
    suites.filter((file) => /\.(pg|long|web)\.test\.ts$/.test(file)).filter((file) => processGroup(file) !== "own"),
  ).toEqual([]);
});

test("suites of the host that ask for the native servers run on them", () => {
  const hosts = suites.filter(
    (file) => /^(__tests__|bench|runtime|scripts)\//.test(file) && /\w\/[^.]+\.test\.ts$/.test(file),
  );
  expect(hosts.length).toBeGreaterThan(80);
  const helpersOf = (file: string): string[] =>
    [...readFileSync(join(root, file), "utf8").matchAll(/from "(\.[^"]*)"/g)]
      .map(([, path = ""]) => `${join(dirname(file), path)}.ts`)
      .filter((path) => path.includes("__tests__/") && existsSync(join(root, path)));
  const asking = (file: string): boolean =>
    holding(["GROUNDWORK_TEST_POSTGRES_URL", "GROUNDWORK_TEST_REDIS_URL"], [file]).length > 0;
  const missing = hosts.filter((file) => [file, ...helpersOf(file)].some(asking) && !nativeSuites.includes(file));
  expect(missing, "add them to nativeSuites in scripts/testing/suites.ts").toEqual([]);
});
