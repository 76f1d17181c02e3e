// Waiting longer after each failure, and not all at once: the one back-off of the application. (The host keeps its
// own, because it imports nothing of the application.)
// Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("equal jitter").

export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
  /** 0 … 1: share of the delay that is random; half of it when absent. */
  readonly jitter?: number;
}

/** Milliseconds to wait after attempt number `attempt` (from 1): the exponential delay, shortened by a random part of up to `jitter`. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  const delay = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt - 1, 30));
  return delay * (1 - (backoff.jitter ?? 0.5) * random());
}
