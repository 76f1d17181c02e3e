// `npm run test:long`: the suites that are too long for every change (*.long.test.ts) on the embedded database. CI runs
// them with `npm run test:pg`.
import { defineConfig } from "vitest/config";
import base from "./vitest.config";

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    testTimeout: 240_000,
    include: ["**/__tests__/**/*.long.test.ts"],
    exclude: base.test?.exclude?.filter((pattern) => !pattern.includes(".long.test.ts")) ?? [],
  },
});
