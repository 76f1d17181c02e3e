// What organisations and people may say of notifications.
import { describe, expect, test } from "vitest";
import { dayOf, decide } from "../decision";
import { NO_POLICY, NO_PREFERENCES, policySchema, preferencesSchema, zoneOf, type Preferences } from "../settings";

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

describe("a zone that this Node does not know", () => {
  const gone = { ...NO_PREFERENCES, timeZone: "Mars/Base" };

  test("is as if it had not been said", () => {
    expect(zoneOf({ ...NO_POLICY, timeZone: "Europe/Berlin" }, gone)).toBe("Europe/Berlin");
    expect(zoneOf({ ...NO_POLICY, timeZone: "Mars/Base" }, gone)).toBe("UTC");
    expect(zoneOf(NO_POLICY, { ...gone, timeZone: "Asia/Tokyo" })).toBe("Asia/Tokyo");
  });

  test("stops no decision", () => {
    const preferences = { ...gone, quietHours: { from: "22:00", to: "07:00" } };
    const destinations = { push: [], email: ["ada@example.com"], sms: null };
    const nowMs = Date.parse("2027-01-01T23:00:00Z");
    const decided = decide({ category: "a", policy: NO_POLICY, preferences, destinations, nowMs, countOfDay: 0 });
    expect(new Date(decided.heldUntilMs ?? 0).toISOString()).toBe("2027-01-02T07:00:00.000Z");
    expect(dayOf(NO_POLICY, preferences, nowMs)).toBe("2027-01-01");
  });
});

describe("addresses that are included", () => {
  const destinations = { push: ["phone", "desk"], email: ["own@example.com", "work@example.com"], sms: null };
  const toOf = (preferences: Partial<Preferences>, locked = false) => {
    const policy = { ...NO_POLICY, categories: { a: { locked } } };
    const input = { category: "a", policy, preferences: { ...NO_PREFERENCES, ...preferences }, destinations };
    const { channels } = decide({ ...input, nowMs: 0, countOfDay: 0 });
    return Object.fromEntries(channels.map((one) => [one.channel, one.outcome === "deliver" ? one.to : one.outcome]));
  };

  test("are used as far as they are still the person's; where no address of mails is, the account's own is", () => {
    expect(toOf({ includedEmails: ["work@example.com", "old@example.com"] }).email).toEqual(["work@example.com"]);
    expect(toOf({ includedEmails: ["old@example.com"] }).email).toEqual(["own@example.com"]);
    expect(toOf({ includedPush: ["gone"] }).push).toBe("withheld");
  });

  test("do not count where the organisation locks the category", () => {
    expect(toOf({ includedEmails: ["work@example.com"], includedPush: ["gone"] }, true)).toMatchObject({
      ...{ email: ["own@example.com"], push: ["phone", "desk"] },
    });
  });
});
