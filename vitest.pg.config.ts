// `npm run test:pg`: the main suite on a native server, and the suites that need one (*.pg.test.ts: races, kills,
// throughput), and those that are too long for every change (*.long.test.ts). scripts/test-native.sh brings the servers.
import { defineConfig } from "vitest/config";
import base from "./vitest.config";

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    // These bring processes and servers of their own.
    maxWorkers: 2,
    exclude: base.test?.exclude?.filter((pattern) => !/\.(pg|long)\.test\.ts$/.test(pattern)) ?? [],
  },
});
