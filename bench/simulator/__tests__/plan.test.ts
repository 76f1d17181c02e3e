// The same seed plans the same run.
import { expect, test } from "vitest";
import { createRandom } from "../../../runtime/__tests__/whole-app/support/fuzz/random";
import { CLOCKS_APART_MS, drawPlan, FAULT_KINDS, offsetFrom } from "../plan";

test("a plan is its seed's, has every kind of fault, and asks for something after each", () => {
  const plan = drawPlan(createRandom(7), 300);
  expect(plan).toEqual(drawPlan(createRandom(7), 300));
  expect(plan).not.toEqual(drawPlan(createRandom(8), 300));
  expect(plan).toHaveLength(300);
  expect(new Set(plan.map(({ fault }) => fault))).toEqual(new Set(FAULT_KINDS));
  for (const { after } of plan) expect(after.map(({ kind }) => kind)).toEqual(["event", "job"]);
});

test("clocks are drawn over the whole range", () => {
  const random = createRandom(1);
  const offsets = Array.from({ length: 1_000 }, () => offsetFrom(random));
  const [least, most] = [Math.min(...offsets), Math.max(...offsets)];
  expect(most - least).toBeLessThanOrEqual(CLOCKS_APART_MS);
  expect(most - least).toBeGreaterThan(CLOCKS_APART_MS * 0.98);
});
