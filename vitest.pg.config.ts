// `npm run test:pg`: the main suite on a native server, and the suites that need one (*.pg.test.ts: races, kills,
// throughput), and those that are too long for every change (*.long.test.ts). scripts/test-native.sh brings the servers.
import { defineConfig } from "vitest/config";
import base from "./vitest.config";

/** They ask no database anything: `npm test` and Node 24 run them, and another server would change nothing for them. */
const withoutDatabase = [
  "__tests__/architecture.test.ts",
  "__tests__/lint.test.ts",
  "__tests__/regular-expressions.test.ts",
  "runtime/{generate,parse,schema}/**/!(*.long).test.ts",
  "vectors/__tests__/chunker.test.ts",
  "vectors/__tests__/embedders.test.ts",
  "vectors/__tests__/markdown-processes.test.ts",
];

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    // These bring processes and servers of their own.
    maxWorkers: 2,
    exclude: [
      ...(base.test?.exclude?.filter((pattern) => !/\.(pg|long)\.test\.ts$/.test(pattern)) ?? []),
      ...withoutDatabase,
    ],
  },
});
