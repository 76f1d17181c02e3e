import { configDefaults, defineConfig } from "vitest/config";
import { groundwork } from "./runtime/vitest/plugin";
import { sharedProcesses } from "./scripts/testing/shared-worker";

export default defineConfig({
  plugins: [groundwork(), sharedProcesses()],
  test: {
    include: ["**/__tests__/**/*.test.ts"],
    exclude: [
      ...configDefaults.exclude,
      "**/*.pg.test.ts",
      "**/*.long.test.ts",
      "**/*.web.test.ts",
      "runtime/__tests__/parity/**",
      "runtime/__tests__/fixtures/**",
      "**/__arch_probes__/**",
      ".groundwork/**",
      "dist/**",
    ],
    // One more than cores, because files also wait: two of them took 287 s on two cores, three 255 s.
    maxWorkers: 3,
    // The cores are full: threads that collect garbage beside them, and often, only take turns with them.
    execArgv: ["--single-threaded-gc", "--max-semi-space-size=32"],
    // Bounds for what hangs, not for what is slow: a busy machine fails no test.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
