// What a limit allows: a number of points in a time, counted by one of two algorithms. Counters in this process
// (counter.ts) and on Redis (redis-counter.ts) read the same declaration.

interface Allowance {
  /** What fits into a window; a request costs one unless it says otherwise. */
  points: number;
  windowSeconds: number;
}

/** A burst of `points` at any time, and after it as many as come back evenly: `points` in each window. */
export interface TokenBucketQuota extends Allowance {
  algorithm: "token-bucket";
}

/** Never more than `points` in any time as long as the window, wherever it begins. */
export interface SlidingWindowQuota extends Allowance {
  algorithm: "sliding-window";
  /** After the quota is used up: how long the key stays shut, when longer than until points come back. */
  blockSeconds?: number;
}

export type Quota = TokenBucketQuota | SlidingWindowQuota;

/** A sliding window is counted in this many parts: a point comes back when the part it fell into has left the window whole. */
export const WINDOW_PARTS = 6;

/** What one charge costs of a quota: no more than all of it, or it could never be paid. */
export const costWithin = ({ points }: Quota, cost: number): number => Math.min(cost, points);
