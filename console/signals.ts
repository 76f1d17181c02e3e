// The golden signals of this process over the last hour: a sample every ten seconds of what the metrics count already. Nothing
// is counted for it: a point is the difference of two looks at the same numbers.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { httpTotals, secondsBuckets, type HttpTotals } from "../telemetry/metrics";
import { onShutdown } from "../telemetry/shutdown";

const STEP_SECONDS = 10;
const POINTS_MAX = 360;

/** What was answered between two looks. */
export interface SignalPoint {
  /** When it ends, by this process' clock. */
  atMs: number;
  requestsPerSecond: number;
  /** Answers of status 500 and above. */
  failuresPerSecond: number;
  /** Half of the answers took no longer; null where there were none. */
  p50Ms: number | null;
  p95Ms: number | null;
}

/** What the page itself asks is not what it shows. */
const isOfTheApp = (route: string): boolean => !route.startsWith("console.");

/** Where the share `q` of what the buckets hold ends, in milliseconds, by a straight line within its bucket as Prometheus does. */
export function quantileMs(bucketCounts: readonly number[], q: number): number | null {
  const all = bucketCounts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let before = 0;
  for (const [bucket, count] of bucketCounts.entries()) {
    if (before + count >= q * all && count > 0) {
      const low = secondsBuckets[bucket - 1] ?? 0;
      // Of what took longer than the last bound nobody knows how long.
      const high = secondsBuckets[bucket] ?? low;
      return (low + ((q * all - before) / count) * (high - low)) * 1000;
    }
    before += count;
  }
  return null;
}

/** The point between two looks, of which the later is `now`. */
export function pointBetween(before: HttpTotals, now: HttpTotals, seconds: number, atMs: number): SignalPoint {
  const counts = now.bucketCounts.map((count, bucket) => count - (before.bucketCounts[bucket] ?? 0));
  return {
    atMs,
    requestsPerSecond: (now.requests - before.requests) / seconds,
    failuresPerSecond: (now.failures - before.failures) / seconds,
    p50Ms: quantileMs(counts, 0.5),
    p95Ms: quantileMs(counts, 0.95),
  };
}

/** One of this process' points, by how many there were before: clocks are set back. */
export type NumberedPoint = SignalPoint & { number: number };

/** The last hour's points. */
export class SignalLog {
  private readonly points: NumberedPoint[] = [];
  private count = 0;

  add(point: SignalPoint): void {
    this.points.push({ ...point, number: ++this.count });
    if (this.points.length > POINTS_MAX) this.points.shift();
  }

  /** Those after the one of this number, the oldest first. */
  after(number: number): NumberedPoint[] {
    return this.points.filter((point) => point.number > number);
  }
}

export const signalLog = new SignalLog();

/** Whose points they are: numbers of one process say nothing of another's. */
export const thisProcess = { id: randomUUID(), host: hostname() };

/** Begins to look; called once, by encore.service.ts. */
export function startSignals(): void {
  let before = httpTotals(isOfTheApp);
  let lookedAtMs = performance.now();
  const timer = setInterval(() => {
    const now = httpTotals(isOfTheApp);
    const nowMs = performance.now();
    signalLog.add(pointBetween(before, now, (nowMs - lookedAtMs) / 1000, Date.now()));
    [before, lookedAtMs] = [now, nowMs];
  }, STEP_SECONDS * 1000).unref();
  onShutdown("console signals", () => clearInterval(timer));
}
