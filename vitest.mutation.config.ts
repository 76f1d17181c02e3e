// `npm run test:mutation`: the suites that hold the rules which stryker.config.json changes. MUTATION_TESTS names fewer of
// them (a glob), for a rule that has a suite of its own: then a change costs a tenth of a second instead of several.
import { defineConfig } from "vitest/config";
import base from "./vitest.config";

const suites = process.env.MUTATION_TESTS ?? "{db,security,events,auth,queues}/__tests__/*.test.ts";

export default defineConfig({ ...base, test: { ...base.test, include: [suites] } });
