// `npm run test:pg`: the suites of the main one that ask a database or Redis, on native servers, and the suites that need
// those (*.pg.test.ts: races, kills, throughput), and those that are too long for every change (*.long.test.ts).
// scripts/test-native.sh brings the servers.
import { defineConfig } from "vitest/config";
import { nativeSuites, opensDatabase, suitesIn } from "./scripts/testing/suites";
import base from "./vitest.config";

const files = suitesIn(import.meta.dirname).filter(
  (file) => /\.(pg|long)\.test\.ts$/.test(file) || nativeSuites.includes(file) || opensDatabase(file),
);

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    // These bring processes and servers of their own.
    maxWorkers: 2,
    // Thousands of rows, kills and restarts: what takes twenty seconds here may take two minutes on a busy machine.
    testTimeout: 240_000,
    include: files,
    exclude: base.test?.exclude?.filter((pattern) => !/\.(pg|long)\.test\.ts$/.test(pattern)) ?? [],
  },
});
