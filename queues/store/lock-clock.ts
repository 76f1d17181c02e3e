// One clock for the locks of jobs: the database's. BullMQ's Postgres backend hands the caller's time to its statements, so a
// process whose clock is ahead by more than a lock lasts would take the jobs of all others for abandoned, run them a second
// time and in the end give them up. Its statements are kept as they are but for the parameter that the lock's end is made
// of. When a delayed job is due stays with the caller, who waits by the same clock.
import type pg from "pg";

const NOW_MS = "(extract(epoch from clock_timestamp()) * 1000)::bigint";

interface Place {
  /** What only this statement of BullMQ 6.7 has in it. */
  mark: string;
  /** Number of the parameter to replace, and what by. */
  parameter: number;
  by: string;
}

/** A lock ends at "now + duration", both given: the duration makes up for what the caller's now is off by. */
const lock = (mark: string, duration: number): Place => ({
  mark,
  parameter: duration,
  by: `($${duration}::bigint + ${NOW_MS} - $${duration + 1}::bigint)`,
});

const PLACES: readonly Place[] = [
  lock("from move_to_active(", 3),
  lock("from move_to_completed_fetch(", 9),
  lock("from move_to_failed_fetch(", 10),
  lock("select extend_lock(", 4),
  lock("set locked_until_ms = $5::bigint + $4::bigint", 4),
  { mark: "from move_stalled_jobs_to_wait(", parameter: 3, by: `($3::bigint * 0 + ${NOW_MS})` },
];

/** The statement with its comments, which name parameters too, taken away and its lock by the database's clock. */
export function byServerClock(text: string): string {
  const sql = text
    .split("\n")
    .filter((line) => !line.startsWith("--"))
    .join("\n");
  const lower = sql.toLowerCase();
  const place = PLACES.find(({ mark }) => lower.includes(mark));
  if (place === undefined) return text;
  const [before, ...rest] = sql.split(`$${place.parameter}`);
  // "$1" is the beginning of "$10" as well.
  const goesOn = (part: string): boolean => part >= "0" && part < ":";
  return rest.reduce((made, part) => made + (goesOn(part) ? `$${place.parameter}` : place.by) + part, before ?? "");
}

/** From now on BullMQ's statements over this pool go by the database's clock. Its texts are constants, so few are kept. */
export function lockByServerClock(pool: pg.Pool): void {
  const query = pool.query.bind(pool) as (text: unknown, values?: unknown) => Promise<pg.QueryResult>;
  const known = new Map<string, string>();
  const rewritten = (text: string): string => {
    let made = known.get(text);
    if (made === undefined) known.set(text, (made = byServerClock(text)));
    return made;
  };
  Object.assign(pool, {
    query: (text: unknown, values?: unknown) => query(typeof text === "string" ? rewritten(text) : text, values),
  });
}
