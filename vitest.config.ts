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
      "**/*.kafka.test.ts",
      "runtime/__tests__/parity/**",
      "runtime/__tests__/fixtures/**",
      "**/__arch_probes__/**",
      ".groundwork/**",
      "dist/**",
    ],
    // One more than cores, because files also wait: two of them took 287 s on two cores, three 255 s.
    maxWorkers: 3,
    // The cores are full: threads that collect garbage beside them only take turns with them. A larger young generation would undo the
    // limit of worker threads on Node 24, where one that outgrows it then ends its process.
    execArgv: ["--single-threaded-gc"],
    // Half a minute of a core at every run otherwise. The suites that are about the hashing itself take the app's own.
    env: { PASSWORD_HASH_COST: "lowest" },
    // Bounds for what hangs, not for what is slow: a busy machine fails no test.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 90_000 } },
  },
});
