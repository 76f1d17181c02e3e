// Waiting longer after each failure, and not all at once.
// Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("equal jitter").

export interface Backoff {
  firstMs: number;
  maxMs: number;
}

/** Milliseconds to wait after attempt number `attempt` (from 1): between half of and the whole exponential delay. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt - 1, 30));
  return ceiling / 2 + (ceiling / 2) * random();
}
