// `npm run test:external-runtime`: the app's own suites on a runtime that was there before vitest, one file after the other
// (scripts/test-external-runtime.sh). To load the app takes longer than most files' tests: files that may share a process
// do, group by group, as in `npm test`.
import { defineConfig } from "vitest/config";
import { groundwork } from "./runtime/vitest/plugin";
import { processGroup, processGroups, suitesIn } from "./scripts/testing/suites";
import base from "./vitest.config";

/**
 * Their suites test the host itself or read its model: they need what the plugin provides. Rules of sources run no part of the app, and
 * the processes of users' code know no runtime.
 */
const withoutTheApp = new RegExp(
  [
    "^(runtime|scripts|bench)/",
    "^__tests__/(architecture|lint|regular-expressions)\\.",
    "^db/__tests__/confused-deputies\\.",
    "^services/sandbox/__tests__/(bounds|escapes|host-fetch|pool|processes|walls)\\.",
  ].join("|"),
);

const files = suitesIn(import.meta.dirname).filter((file) => !withoutTheApp.test(file));

export default defineConfig({
  test: {
    fileParallelism: false,
    projects: processGroups.map((name, order) => ({
      plugins: [groundwork()],
      test: {
        ...base.test,
        name,
        include: files.filter((file) => processGroup(file) === name),
        maxWorkers: 1,
        isolate: name === "own" || name === "mocking",
        sequence: { groupOrder: order + 1 },
      },
    })),
  },
});
