// `npm run test:pg`: the main suite on a native server, and the suites that need one (*.pg.test.ts: races, kills,
// throughput). scripts/test-native.sh brings the servers.
import { defineConfig } from "vitest/config";
import base from "./vitest.config";

export default defineConfig({
  ...base,
  test: { ...base.test, exclude: base.test?.exclude?.filter((pattern) => !pattern.includes(".pg.test.ts")) ?? [] },
});
