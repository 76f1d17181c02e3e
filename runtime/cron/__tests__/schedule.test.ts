import { describe, expect, it } from "vitest";
import { parseSchedule } from "../schedule";

const at = (text: string): number => Date.parse(text);
const next = (schedule: string, after: string): string | null => {
  const tick = parseSchedule(schedule)(at(after));
  return tick === null ? null : new Date(tick).toISOString();
};

describe("a cron schedule", () => {
  it("counts `every` from midnight UTC and starts anew at the next midnight", () => {
    expect(next("every:90", "2026-03-01T00:00:00Z")).toBe("2026-03-01T01:30:00.000Z");
    expect(next("every:90", "2026-03-01T22:45:00Z")).toBe("2026-03-02T00:00:00.000Z");
    expect(next("every:7", "2026-03-01T23:55:00Z")).toBe("2026-03-02T00:00:00.000Z");
  });

  it("never gives the instant it was asked about", () => {
    expect(next("every:60", "2026-03-01T01:00:00Z")).toBe("2026-03-01T02:00:00.000Z");
    expect(next("schedule:0 * * * *", "2026-03-01T01:00:00Z")).toBe("2026-03-01T02:00:00.000Z");
  });

  it("reads five fields in UTC, whatever the machine's zone", () => {
    expect(next("schedule:30 4 * * 1", "2026-03-29T00:00:00Z")).toBe("2026-03-30T04:30:00.000Z");
    expect(next("schedule:0 0 29 2 *", "2026-03-01T00:00:00Z")).toBe("2028-02-29T00:00:00.000Z");
  });

  it("has no tick when it is every zero minutes", () => {
    expect(next("every:0", "2026-03-01T00:00:00Z")).toBeNull();
  });

  it("is refused when it is neither form", () => {
    expect(() => parseSchedule("hourly")).toThrow(/not a cron schedule/);
    expect(() => parseSchedule("schedule:* * * * * *")).toThrow();
  });
});
