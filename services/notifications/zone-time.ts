// Times of day in IANA zones, by the zone data of the runtime. A local time is the first instant at which the zone's clocks show it
// or more: one that is skipped in spring is when the clocks have gone forward, and one that comes twice in autumn is the first.
import { clocksOf } from "../../security/time-zone";

const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** What the zone's clocks show at an instant, as the milliseconds that UTC's clocks show it at. */
export function wallMs(zone: string, atMs: number): number {
  const wholeMs = Math.floor(atMs / 1_000) * 1_000;
  const shown: Record<string, number> = {};
  for (const { type, value } of clocksOf(zone).formatToParts(wholeMs)) shown[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (atMs - wholeMs);
}

/** The first instant at which the zone's clocks show `wall` or more. */
export function firstReached(zone: string, wall: number): number {
  const offsets = [wall - DAY_MS, wall + DAY_MS].map((atMs) => wallMs(zone, atMs) - atMs);
  const [early, late] = [wall - Math.max(...offsets), wall - Math.min(...offsets)];
  for (const atMs of [early, late]) if (wallMs(zone, atMs) === wall) return atMs;
  // Skipped: somewhere between the two the clocks jump over it.
  let [before, reached] = [early - MINUTE_MS, late + MINUTE_MS];
  while (reached - before > 1) {
    const middle = Math.floor((before + reached) / 2);
    if (wallMs(zone, middle) >= wall) reached = middle;
    else before = middle;
  }
  return reached;
}

/** The zone's day at an instant: "2027-03-28". */
export const localDay = (zone: string, atMs: number): string => new Date(wallMs(zone, atMs)).toISOString().slice(0, 10);

/** "22:30" as milliseconds from midnight. */
const timeMs = (time: string): number => (Number(time.slice(0, 2)) * 60 + Number(time.slice(3))) * MINUTE_MS;

/**
 * When the quiet hours that hold at `atMs` end; undefined when none hold. They begin each day when the clocks first show `from` and
 * end when they then first show `to`, so an hour that comes twice does not begin them again. The same `from` and `to` are none.
 */
export function quietUntil(zone: string, { from, to }: { from: string; to: string }, atMs: number): number | undefined {
  const [fromMs, toMs] = [timeMs(from), timeMs(to)];
  if (fromMs === toMs) return undefined;
  const today = Math.floor(wallMs(zone, atMs) / DAY_MS) * DAY_MS;
  // A clock that is put back over midnight shows the day before again.
  for (const day of [today - DAY_MS, today, today + DAY_MS]) {
    const begins = firstReached(zone, day + fromMs);
    const ends = firstReached(zone, day + toMs + (toMs < fromMs ? DAY_MS : 0));
    if (begins <= atMs && atMs < ends) return ends;
  }
  return undefined;
}
