// For Stryker alone, as `npm run test:mutation` starts it: only the suites that hold the rules it is changing.
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { endThread, keptWorkers } from "./scripts/mutation/kept-worker";
import base from "./vitest.config";

const suites = (process.env.MUTATION_TESTS ?? "").split(",");

export default defineConfig({
  ...base,
  plugins: [
    ...(base.plugins ?? []),
    {
      name: "kept-workers",
      // Stryker asks for threads on its command line, so the pool is changed after that was read.
      configureVitest({ project, vitest }) {
        if (process.env.MUTATION_KEEPS_WORKER !== "yes") return;
        project.config.pool = keptWorkers.name;
        project.config.poolRunner = keptWorkers;
        project.config.setupFiles.push(resolve("scripts/mutation/reset-change.ts"));
        vitest.onClose(endThread);
      },
    },
  ],
  test: { ...base.test, include: suites },
});
