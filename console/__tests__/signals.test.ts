// Points of the golden signals, from counts as the metrics have them.
import { describe, expect, test } from "vitest";
import { httpSeries, httpTotals, secondsBuckets, type HttpTotals } from "../../telemetry/metrics";
import { pointBetween, quantileMs, SignalLog } from "../signals";

const buckets = (counts: Record<number, number>): number[] =>
  [...secondsBuckets, Infinity].map((bound) => counts[bound] ?? 0);
const totals = (over: Partial<HttpTotals>): HttpTotals => ({
  requests: 0,
  failures: 0,
  bucketCounts: buckets({}),
  ...over,
});

describe("a quantile", () => {
  test("lies within the bucket that holds it, by a straight line", () => {
    const counts = buckets({ 0.01: 50, 0.1: 50 });
    expect(quantileMs(counts, 0.5)).toBeCloseTo(10);
    expect(quantileMs(counts, 0.25)).toBeCloseTo(7.5);
    expect(quantileMs(counts, 0.95)).toBeCloseTo(95);
  });

  test("of what took longer than the last bound is that bound, and of nothing there is none", () => {
    expect(quantileMs(buckets({ Infinity: 3 }), 0.5)).toBe(10_000);
    expect(quantileMs(buckets({}), 0.5)).toBeNull();
  });
});

test("a point is what was answered between two looks, by the second", () => {
  const before = totals({ requests: 100, failures: 5, bucketCounts: buckets({ 0.001: 100 }) });
  const now = totals({ requests: 120, failures: 6, bucketCounts: buckets({ 0.001: 100, 0.05: 20 }) });
  expect(pointBetween(before, now, 10, 1_000)).toEqual({
    atMs: 1_000,
    requestsPerSecond: 2,
    failuresPerSecond: 0.1,
    p50Ms: expect.closeTo(37.5) as unknown,
    p95Ms: expect.closeTo(48.75) as unknown,
  });
  expect(pointBetween(now, now, 10, 2_000)).toMatchObject({ requestsPerSecond: 0, p50Ms: null });
});

test("totals are the sum of the routes that are asked for, and failures are answers of 500 and above", () => {
  const counts = (route: string): boolean => route.startsWith("signals-test.");
  for (const [method, route, status] of [
    ["GET", "signals-test.a", 200],
    ["GET", "signals-test.a", 404],
    ["POST", "signals-test.b", 503],
    ["GET", "other-test.c", 500],
  ] as const)
    httpSeries(method, route).record(status, 0.02);
  expect(httpTotals(counts)).toEqual({ requests: 3, failures: 1, bucketCounts: buckets({ 0.025: 3 }) });
});

test("the last hour's points are kept, numbered in the order in which they came, whatever the clock says", () => {
  const log = new SignalLog();
  const point = (atMs: number) => ({ atMs, requestsPerSecond: 0, failuresPerSecond: 0, p50Ms: null, p95Ms: null });
  for (let i = 0; i < 361; i++) log.add(point(1_000_000 - i));
  const kept = log.after(0);
  expect([kept.length, kept[0]?.number, kept.at(-1)?.number]).toEqual([360, 2, 361]);
  expect(log.after(360)).toEqual([{ ...point(1_000_000 - 360), number: 361 }]);
  expect(log.after(361)).toEqual([]);
});
