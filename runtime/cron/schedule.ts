// When a job is due, always in UTC: `every:<minutes>` counts from midnight, `schedule:<five fields>` is cron.
import { Cron } from "croner";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** The first tick after `afterMs` in milliseconds since the epoch, or null when there is none. */
export type NextTick = (afterMs: number) => number | null;

function everyMinutes(minutes: number): NextTick {
  if (!(minutes > 0)) return () => null;
  const stepMs = minutes * MINUTE_MS;
  return (afterMs) => {
    const midnight = Math.floor(afterMs / DAY_MS) * DAY_MS;
    const tick = midnight + (Math.floor((afterMs - midnight) / stepMs) + 1) * stepMs;
    return Math.min(tick, midnight + DAY_MS); // midnight starts the count anew
  };
}

function cronFields(pattern: string): NextTick {
  const cron = new Cron(pattern, { timezone: "UTC", mode: "5-part", paused: true });
  return (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() ?? null;
}

/**
 * Reads a schedule as the model writes it.
 * @throws Error naming the schedule when it is neither form
 */
export function parseSchedule(schedule: string): NextTick {
  const colon = schedule.indexOf(":");
  const form = schedule.slice(0, colon);
  const text = schedule.slice(colon + 1);
  if (form === "every" && /^\d+$/.test(text)) return everyMinutes(Number(text));
  if (form === "schedule") return cronFields(text);
  throw new Error(`"${schedule}" is not a cron schedule: expected every:<minutes> or schedule:<five cron fields>`);
}
