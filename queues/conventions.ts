// Conventions every job follows: names, retries, idempotency keys.
import { backoffMs } from "../db/backoff";

/**
 * How often a job is tried and how long between: the wait before attempt n+1 is
 * `firstDelayMs · 2^(n-1)`, at most `maxDelayMs`, and then shortened by a random part of up to `jitter`.
 */
export interface RetryPolicy {
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** 0 … 1: share of the delay that is random. */
  readonly jitter: number;
}

/** The retry table. Pick by what the job talks to, not by taste. */
export const RETRY = {
  /** Work inside this system: the database, the embedder. */
  standard: { attempts: 5, firstDelayMs: 1_000, maxDelayMs: 60_000, jitter: 0.5 },
  /** Somebody else's API, which may be away for an hour. */
  external: { attempts: 12, firstDelayMs: 5_000, maxDelayMs: 900_000, jitter: 0.5 },
  /** Work that is pointless when late. */
  once: { attempts: 1, firstDelayMs: 0, maxDelayMs: 0, jitter: 0 },
} as const satisfies Record<string, RetryPolicy>;

/** Milliseconds between attempt number `attempt` (from 1) and the next. */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  const { firstDelayMs: firstMs, maxDelayMs: maxMs, jitter } = policy;
  return Math.round(backoffMs({ firstMs, maxMs, jitter }, attempt, random));
}

/** At least so long where all attempts are used up: what failed then is the giving up, which the database will take when it is back. */
const GIVE_UP_AGAIN_MS = 60_000;

/** Milliseconds until a job comes again of which `attempt` attempts (from 1) have failed. */
export function comeBackMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  const delayMs = retryDelayMs(policy, attempt, random);
  return attempt < policy.attempts ? delayMs : Math.max(delayMs, GIVE_UP_AGAIN_MS);
}

const JOB_NAME = /^[a-z][a-z0-9-]*:[a-z][a-z0-9-]*$/;

/** True for "domain:action" in lower case. */
export function isJobName(name: string): boolean {
  return JOB_NAME.test(name);
}

/** BullMQ refuses ":" in queue names; "vectors:embed" is the queue "vectors.embed". */
export function queueNameOf(jobName: string): string {
  return jobName.replace(":", ".");
}

/** An idempotency key from the parts that make two jobs the same work; long parts should be hashed before. */
export function idempotencyKey(...parts: readonly (string | number)[]): string {
  return parts.map((part) => String(part).replaceAll("%", "%25").replaceAll("/", "%2F")).join("/");
}
