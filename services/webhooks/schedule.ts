// When a delivery is tried again, and when nobody tries any more. The delays are those that the Standard Webhooks specification
// proposes (spec/standard-webhooks.md, "Retries") and Svix has (docs.svix.com/retries): over three days, so that a receiver that breaks on a
// Friday evening is mended in time. They are jittered, because what failed together would come back together (bullet-train-co/bullet_train-core #854).

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Before the second attempt, the third and so on: 76 hours in all. */
export const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND,
  ...[5 * MINUTE, 30 * MINUTE],
  ...[2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
];
export const ATTEMPTS_MAX = RETRY_DELAYS_MS.length + 1;
/** Each delay is longer or shorter by up to so much of it. */
const JITTER = 0.2;
/** A receiver may ask for more time, not for ever. */
const ASKED_MAX_MS = 24 * HOUR;

/**
 * Milliseconds from attempt `number` (from 1), which failed, to the next; undefined after the last. `askedMs` is what the receiver
 * asked for (Retry-After, RFC 9110 §10.2.3).
 */
export function nextDelayMs(number: number, random: () => number, askedMs = 0): number | undefined {
  const delayMs = RETRY_DELAYS_MS[number - 1];
  if (delayMs === undefined) return undefined;
  const jittered = delayMs * (1 - JITTER + 2 * JITTER * random());
  return Math.round(Math.max(jittered, Math.min(askedMs, ASKED_MAX_MS)));
}

/**
 * An endpoint of which nothing was delivered for so long is disabled. The time begins anew after a silence in which nothing failed either:
 * two single failures with five quiet days between are none of that (svix/svix-docs #159). The longest delay between two attempts is shorter.
 */
export const FAILING_MAX = { days: 5, quietHours: 36 } as const;

const POSTPONED_FIRST_MS = 5 * SECOND;
const POSTPONED_MAX_MS = 10 * MINUTE;

/** Until an attempt that had no turn asks for one again: it was none, so it counts as none. `times` from 1. */
export function postponedMs(times: number, random: () => number): number {
  const delayMs = Math.min(POSTPONED_FIRST_MS * 2 ** (times - 1), POSTPONED_MAX_MS);
  return Math.round(delayMs * (0.5 + 0.5 * random()));
}
