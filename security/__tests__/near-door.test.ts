// That endpoints ask at such a door: runtime/__tests__/whole-app/mailbox-door.ts, and doors.test.ts in production.
import { describe, expect, test } from "vitest";
import { nearDoor } from "../near-door";

describe("a door for who is near", () => {
  const allow = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"];
  const isNear = nearDoor({ allow, isOpenToUnnamed: false });

  test.each([
    "127.0.0.1",
    "::1",
    "[::1]:5000",
    "::1, 127.0.0.1",
    "10.1.2.3, 127.0.0.1",
    "::ffff:127.0.0.1",
    ["10.1.2.3", "127.0.0.1"],
  ])("opens for %j", (chain) => expect(isNear({ "x-forwarded-for": chain })).toBe(true));

  test.each([
    "203.0.113.7",
    "203.0.113.7, 127.0.0.1",
    "127.0.0.1, 203.0.113.7",
    "127.0.0.1, 192.168.0.7",
    "127.0.0.1, nonsense",
    "unknown",
    "127.0.0.1,",
    "127.0.0.1,".repeat(200),
    Array(200).fill("127.0.0.1").join(","),
    ["203.0.113.7", "127.0.0.1"],
  ])("stays shut for %j", (chain) => expect(isNear({ "x-forwarded-for": chain })).toBe(false));

  test("stays shut behind a proxy that names nobody in X-Forwarded-For", () =>
    expect(isNear({ "x-forwarded-for": "127.0.0.1", forwarded: "for=203.0.113.7" })).toBe(false));

  test.each([{}, { "x-forwarded-for": "" }])("opens to a request that names no hop where it says so: %j", (headers) => {
    expect(isNear(headers)).toBe(false);
    const toUnnamed = nearDoor({ allow, isOpenToUnnamed: true });
    expect(toUnnamed(headers)).toBe(true);
    expect(toUnnamed({ ...headers, forwarded: "for=127.0.0.1" })).toBe(false);
  });
});
