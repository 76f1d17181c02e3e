// When a schedule is due next. Zones are IANA's, and where their clocks change:
//   a time that is skipped   its tick comes when the clocks have gone forward, once (02:30 in Berlin in March: at 03:00)
//   a time that comes twice  its tick comes the first time
// So it is for patterns whose minutes and hours are numbers, lists and ranges. One with a wildcard or a step in either (every hour,
// */15 2 * * *) goes on by the hands of the clock: its skipped times are none, and those that come twice are two.
import { Cron } from "croner";

export type ScheduleSpec = { everyMs: number } | { pattern: string; zone: string };

/** Why it is none; undefined for one that has a tick. */
export function faultOf(spec: ScheduleSpec): string | undefined {
  if ("everyMs" in spec)
    return Number.isSafeInteger(spec.everyMs) && spec.everyMs > 0
      ? undefined
      : `an interval is a positive number of milliseconds, not ${spec.everyMs}`;
  // Croner also takes a date for one run, a nickname, and "" for the zone of the machine.
  if (spec.pattern.trim().split(/\s+/).length !== 5 || spec.zone === "")
    return faultText(spec, spec.zone === "" ? "no zone" : "not five fields");
  try {
    return cronOf(spec).nextRun() === null ? `the pattern "${spec.pattern}" never comes` : undefined;
  } catch (error) {
    return faultText(spec, (error as Error).message);
  }
}

const faultText = ({ pattern, zone }: { pattern: string; zone: string }, why: string): string =>
  `"${pattern}" in "${zone}" is no cron pattern of five fields in an IANA zone: ${why}`;

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
  new Cron(pattern, { timezone: zone, paused: true, mode: "5-part", fixedTimeRule: "no-wildcard" });
