// `npm run test:pg`: the suites of the main one that ask a database or Redis, on native servers, and the suites that need
// those (*.pg.test.ts: races, kills, throughput), and those that are too long for every change (*.long.test.ts).
// scripts/test-native.sh brings the servers.
import { defineConfig } from "vitest/config";
import { nativeSuites } from "./scripts/testing/suites";
import base from "./vitest.config";

/** They ask no database anything: `npm test` and Node 24 run them, and another server would change nothing for them. */
const withoutDatabase = ["chunker", "embedders", "markdown-processes"].map(
  (name) => `vectors/__tests__/${name}.test.ts`,
);

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    // These bring processes and servers of their own.
    maxWorkers: 2,
    // Thousands of rows, kills and restarts: what takes twenty seconds here may take two minutes on a busy machine.
    testTimeout: 240_000,
    include: [
      "**/__tests__/**/*.{pg,long}.test.ts",
      "!(__tests__|bench|runtime|scripts)/**/__tests__/**/*.test.ts",
      ...nativeSuites,
    ],
    exclude: [
      ...(base.test?.exclude?.filter((pattern) => !/\.(pg|long)\.test\.ts$/.test(pattern)) ?? []),
      ...withoutDatabase,
    ],
  },
});
