// `npm run test:mutation`: the suites that hold the rules which stryker.config.json changes.
import { defineConfig } from "vitest/config";
import base from "./vitest.config";

export default defineConfig({
  ...base,
  test: { ...base.test, include: ["{db,security,events,auth,queues}/__tests__/*.test.ts"] },
});
