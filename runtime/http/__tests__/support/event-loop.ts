// Whether something holds an event loop, by what the watchdog of its process says (whole-app/support/watchdog.mjs).
import { setTimeout as sleep } from "node:timers/promises";
import { slowdown } from "../../../../scripts/testing/growth";

/** What is promised of a machine like the one where it was measured. A slower one may take longer, in proportion. */
export const PROMISED_MS = 50;
/** No test fails because other processes use its machine's caches. Much more than is promised fails all the same: so many times. */
const MARGIN = 3;
/** What is done in slices holds the loop for a small part of its time; what is not, for most of it. */
const SHARE_MAX = 1 / 2;
/** Compiling code and collecting garbage take their time once, a fault of ours every time. */
const ATTEMPTS = 8;

export interface Ran {
  /** The longest that the thread ran without a pause. */
  longestMs: number;
  ranMs: number;
}

/** What the thread did since this was asked last. */
export function watchdogAt(address: string): () => Promise<Ran> {
  return async () => (await (await fetch(`http://127.0.0.1:${address}`)).json()) as Ran;
}

async function isTooLong({ longestMs, ranMs }: Ran): Promise<boolean> {
  if (longestMs < PROMISED_MS) return false;
  const times = longestMs / (PROMISED_MS * (await slowdown()));
  return times > MARGIN || (times > 1 && longestMs > SHARE_MAX * ranMs);
}

/** How long `act` holds the event loop, and whether that is too long; tried again only where it is. */
export async function holding(
  watchdog: () => Promise<Ran>,
  act: () => Promise<void>,
): Promise<{ ms: number; isHeld: boolean }> {
  let ms = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await watchdog();
    await act();
    await sleep(6);
    const ran = await watchdog();
    ms = Math.min(ms, ran.longestMs);
    if (!(await isTooLong(ran))) return { ms, isHeld: false };
  }
  return { ms, isHeld: true };
}
