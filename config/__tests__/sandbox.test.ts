import { expect, test } from "vitest";
import { parseConfig } from "../schema";

test("production runs users' code only behind the kernel's limits, unless it is told otherwise", () => {
  expect(parseConfig({}).sandbox).toEqual({ processes: 2, withoutKernelLimits: "warn" });
  expect(parseConfig({ NODE_ENV: "production" }).sandbox.withoutKernelLimits).toBe("refuse");
});
