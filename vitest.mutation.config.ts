// For Stryker alone, as `npm run test:mutation` starts it: only the suites that hold the rules it is changing.
import { defineConfig } from "vitest/config";
import base from "./vitest.config";

const suites = (process.env.MUTATION_TESTS ?? "").split(",");

export default defineConfig({ ...base, test: { ...base.test, include: suites } });
