// When a schedule is due next. Zones are IANA's, and where their clocks change:
//   a time that is skipped   its tick comes when the clocks have gone forward, once (02:30 in Berlin in March: at 03:00)
//   a time that comes twice  its tick comes the first time; a pattern for every hour or every few minutes goes on evenly
// The library that the host's crons use decides so as well, and both as Vixie's cron does (Debian's cron(8), "NOTES").
import { Cron } from "croner";

export type ScheduleSpec = { everyMs: number } | { pattern: string; zone: string };

/** Why it is none; undefined for one that has a tick. */
export function faultOf(spec: ScheduleSpec): string | undefined {
  if ("everyMs" in spec)
    return Number.isSafeInteger(spec.everyMs) && spec.everyMs > 0
      ? undefined
      : `an interval is a positive number of milliseconds, not ${spec.everyMs}`;
  try {
    return cronOf(spec).nextRun() === null ? `the pattern "${spec.pattern}" never comes` : undefined;
  } catch (error) {
    return `"${spec.pattern}" in "${spec.zone}" is no cron pattern of five fields in an IANA zone: ${(error as Error).message}`;
  }
}

/** The first tick behind `nowMs`. An interval goes on from its last tick, so that it does not drift. */
export function nextTickMs(spec: ScheduleSpec, lastMs: number, nowMs: number): number {
  if ("everyMs" in spec) {
    const passed = Math.max(0, Math.floor((nowMs - lastMs) / spec.everyMs));
    return lastMs + (passed + 1) * spec.everyMs;
  }
  const next = cronOf(spec).nextRun(new Date(Math.max(nowMs, lastMs)));
  if (next === null) throw new RangeError(`the pattern "${spec.pattern}" has no further tick`);
  return next.getTime();
}

const cronOf = ({ pattern, zone }: { pattern: string; zone: string }): Cron =>
  new Cron(pattern, { timezone: zone, paused: true, mode: "5-part" });
