// Counting in this process, on a clock that the test moves.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryCounter } from "../counter";
import type { Quota } from "../quota";

const window = (points: number, windowSeconds = 60): Quota => ({ algorithm: "sliding-window", points, windowSeconds });
const bucket = (points: number, windowSeconds = 60): Quota => ({ algorithm: "token-bucket", points, windowSeconds });
const both = [
  ["a sliding window", window],
  ["a token bucket", bucket],
] as const;

/** Requests at random times: milliseconds since the one before, and what each costs. */
const requests = fc.array(
  fc.record({ afterMs: fc.integer({ min: 0, max: 4_000 }), cost: fc.integer({ min: 1, max: 4 }) }),
  {
    minLength: 1,
    maxLength: 150,
    size: "max",
  },
);

/** Those that were let through. */
function letThrough(
  counter: MemoryCounter,
  arrivals: { afterMs: number; cost: number }[],
): { atMs: number; cost: number }[] {
  let atMs = 1_234;
  return arrivals.flatMap(({ afterMs, cost }) => {
    atMs += afterMs;
    return counter.consume("k", atMs, cost) >= 0 ? [{ atMs, cost }] : [];
  });
}

/** The most that was let through within `lengthMs`, wherever that begins. */
const most = (passed: { atMs: number; cost: number }[], lengthMs: number): number =>
  Math.max(
    ...passed.map(({ atMs: from }) =>
      passed.reduce((sum, { atMs, cost }) => (atMs >= from && atMs < from + lengthMs ? sum + cost : sum), 0),
    ),
  );

describe("a sliding window", () => {
  // What fixed windows do not keep: twice the quota fits around their edges.
  test("never lets more than its quota through in any time of its length", () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 4, max: 12 }), (arrivals, points) => {
        expect(most(letThrough(new MemoryCounter(window(points, 30)), arrivals), 30_000)).toBeLessThanOrEqual(points);
      }),
    );
  });

  test("lets the whole quota through again once the time and a part of it have passed", () => {
    const counter = new MemoryCounter(window(3));
    for (let i = 0; i < 3; i++) counter.consume("k", 0);
    expect(counter.consume("k", 59_999)).toBeLessThan(0);
    for (let i = 0; i < 3; i++) expect(counter.consume("k", 70_000)).toBeGreaterThanOrEqual(0);
  });

  test("stays shut for its block, however little was over, and then is open", () => {
    const counter = new MemoryCounter({ algorithm: "sliding-window", points: 2, windowSeconds: 60, blockSeconds: 600 });
    for (let i = 0; i < 2; i++) counter.consume("k", 0);
    expect(counter.consume("k", 1_000)).toBe(-600_000);
    expect(counter.consume("k", 500_000)).toBe(-101_000);
    expect(counter.waitMs("k", 500_000)).toBe(101_000);
    expect(counter.consume("k", 601_000)).toBe(1);
  });
});

describe("a token bucket", () => {
  test("lets a burst of its quota through and then as much as comes back, in any time", () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 4, max: 12 }), fc.integer({ min: 1, max: 60 }), (arrivals, points, s) => {
        const passed = letThrough(new MemoryCounter(bucket(points, 30)), arrivals);
        expect(most(passed, s * 1000)).toBeLessThanOrEqual(points + (points * s) / 30 + 1e-6);
      }),
    );
  });

  test("gives back one point at a time", () => {
    const counter = new MemoryCounter(bucket(60));
    for (let i = 0; i < 60; i++) expect(counter.consume("k", 0)).toBe(59 - i);
    expect(counter.consume("k", 0)).toBe(-1_000);
    expect(counter.consume("k", 999)).toBeCloseTo(-1, 6);
    expect(counter.consume("k", 1_000)).toBeGreaterThanOrEqual(0);
    expect(counter.consume("k", 1_000)).toBeLessThan(0);
  });
});

describe.each(both)("%s", (_name, quotaOf) => {
  test("says how long to wait: until then nothing fits, and then it does", () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 4 }), (arrivals, cost) => {
        const counter = new MemoryCounter(quotaOf(5, 30));
        let atMs = 77;
        for (const arrival of arrivals) counter.consume("k", (atMs += arrival.afterMs), arrival.cost);
        const left = counter.consume("k", atMs, cost);
        if (left >= 0) return;
        expect(counter.consume("k", atMs - left - 1, cost)).toBeLessThan(0);
        expect(counter.consume("k", atMs - left + 1e-3, cost)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("weighs what costs more, takes nothing of what does not fit, and lets what costs more than all of it have all", () => {
    const counter = new MemoryCounter(quotaOf(10));
    expect(counter.consume("k", 0, 8)).toBe(2);
    expect(counter.consume("k", 0, 3)).toBeLessThan(0);
    expect(counter.consume("k", 0, 2)).toBe(0);
    expect(counter.consume("huge", 0, 1_000)).toBe(0);
    expect(counter.consume("huge", 0)).toBeLessThan(0);
  });

  test("counts afterwards what was not known before: as a debt, no more than another quota, or given back", () => {
    const counter = new MemoryCounter(quotaOf(10));
    counter.settle("k", 1_000_000, 0);
    expect(counter.waitMs("k", 0)).toBeGreaterThan(0);
    counter.settle("k", -11, 0);
    expect(counter.consume("k", 0)).toBe(0);
    counter.settle("k", -1_000, 0);
    expect(counter.consume("k", 0)).toBe(9);
  });

  test("counts each key by itself, and forgets what it is told to", () => {
    const counter = new MemoryCounter(quotaOf(1));
    expect([counter.consume("a", 0), counter.consume("b", 0)]).toEqual([0, 0]);
    expect(counter.consume("a", 0)).toBeLessThan(0);
    counter.forget("a");
    expect(counter.consume("a", 0)).toBe(0);
    expect(counter.consume("b", 0)).toBeLessThan(0);
  });

  test("holds no more keys than its bound, however many addresses come", () => {
    const counter = new MemoryCounter(quotaOf(2), 1_000);
    let held = 0;
    for (let i = 0; i < 20_000; i++) {
      counter.consume(`2001:db8:${i.toString(16)}::/64`, 0);
      held = Math.max(held, counter.size);
    }
    expect(held).toBeLessThanOrEqual(1_000);
    expect(held).toBeGreaterThan(500);
  });

  // Else a flood of other addresses would be a way to get new attempts, also for whoever stops just before being shut.
  test("keeps what a key used through a flood of others, shut or not", () => {
    const counter = new MemoryCounter(quotaOf(5), 1_000);
    for (let i = 0; i < 6; i++) counter.consume("shut", 0);
    for (let i = 0; i < 4; i++) counter.consume("careful", 0);
    for (let i = 0; i < 20_000; i++) counter.consume(`other${i}`, 1);
    expect(counter.consume("shut", 2)).toBeLessThan(0);
    expect([counter.consume("careful", 2) >= 0, counter.consume("careful", 2) >= 0]).toEqual([true, false]);
    expect(counter.consume("shut", 80_000)).toBeGreaterThanOrEqual(0);
    expect(counter.consume("careful", 80_000)).toBe(4);
  });

  test("leaves whoever is new one point at least, whatever others used before the flood", () => {
    const counter = new MemoryCounter(quotaOf(3), 100);
    for (let i = 0; i < 5_000; i++) for (let n = 0; n < 4; n++) counter.consume(`bot${i}`, 0);
    for (let i = 0; i < 1_000; i++) expect(counter.consume(`new${i}`, 1)).toBeGreaterThanOrEqual(0);
  });
});
