// What organisations and people may say of notifications.
import { expect, test } from "vitest";
import { policySchema, preferencesSchema } from "../settings";

test.each([
  ["preferences", preferencesSchema],
  ["a policy", policySchema],
])("more categories than %s may have are counted, and none of them is looked at", (_, schema) => {
  let looks = 0;
  const categories = {};
  for (let n = 0; n < 101; n++)
    Object.defineProperty(categories, `c${n}`, { enumerable: true, get: () => (looks++, {}) });
  const parsed = schema.safeParse({ categories });
  expect(parsed.error?.issues).toMatchObject([{ path: ["categories"], message: "has more than 100 categories" }]);
  expect(looks).toBe(0);
});

test.each(["none", ["a"], 7])("categories are an object: not %s", (categories) => {
  expect(preferencesSchema.safeParse({ categories }).success).toBe(false);
});
