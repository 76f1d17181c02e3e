// One clock for a queue: the database's. BullMQ's Postgres backend hands the caller's time to its statements, so a process whose
// clock is ahead by more than a lock lasts would take the jobs of all others for abandoned, run them a second time and in the end
// give them up; it would end the time that a rate is counted over before it is over, and a retry's wait too. Its statements are
// kept as they are but for the parameters that hold the caller's time; where one answers with a time that the caller waits for,
// that is told by the caller's clock.
import type pg from "pg";

const NOW_MS = "(extract(epoch from clock_timestamp()) * 1000)::bigint";
/** The parameter is kept, because Postgres wants to know its type. */
const now = (parameter: number): string => `($${parameter}::bigint * 0 + ${NOW_MS})`;

interface Place {
  /** What only this statement of BullMQ 6.7 has in it. */
  mark: string;
  /** Number of the parameter to replace, and what by. */
  parameter: number;
  by: string;
  /** Times in the answer that the caller compares with its own, and what to ask for in their place. */
  answer?: readonly [asked: string, told: string];
}

const nowAt = (mark: string, parameter: number, answer?: Place["answer"]): Place => ({
  mark,
  parameter,
  by: now(parameter),
  ...(answer ? { answer } : {}),
});
/** The same moment by the caller's clock, whose time is `parameter`. */
const byCaller = (time: string, parameter: number): string => `${time} - ${NOW_MS} + $${parameter}::bigint`;
/** When a job was taken, which its lock is renewed by; of two columns of one name the driver keeps the last. */
const taken = (parameter: number): Place["answer"] => [
  "SELECT *",
  `SELECT *, ${byCaller("processed_at_ms", parameter)} AS processed_at_ms`,
];

const PLACES: readonly Place[] = [
  nowAt("FROM move_to_active(", 4, taken(4)),
  nowAt("FROM move_to_completed_fetch(", 10, taken(10)),
  nowAt("FROM move_to_failed_fetch(", 11, taken(11)),
  nowAt("SELECT extend_lock(", 5),
  nowAt("SET locked_until_ms = $5::bigint + $4::bigint", 5),
  nowAt("FROM move_stalled_jobs_to_wait(", 3),
  nowAt("SELECT move_active_to_wait(", 4),
  nowAt("SELECT rate_limit_ttl(", 3),
  nowAt("SELECT set_rate_limit(", 3),
  // "Now and so much later", of which the caller has made one number.
  { mark: "SELECT move_to_delayed(", parameter: 4, by: `(${now(4)} + $5::bigint)` },
  nowAt("FROM next_signal(", 3, ["next_delay FROM", `${byCaller("next_delay", 3)} AS next_delay FROM`]),
  // It is not given the caller's time: that is added (asksForCallersTime).
  { mark: "SELECT next_delay(", parameter: 1, by: "$1", answer: ["next_delay($1)", byCaller("next_delay($1)", 2)] },
];

const placeOf = (text: string): Place | undefined => PLACES.find(({ mark }) => text.includes(mark));

/** Puts `by` in the place of a parameter; "$1" is the beginning of "$10" as well. */
function replaced(sql: string, parameter: number, by: string): string {
  const [before, ...rest] = sql.split(`$${parameter}`);
  const goesOn = (part: string): boolean => part >= "0" && part < ":";
  return rest.reduce((made, part) => made + (goesOn(part) ? `$${parameter}` : by) + part, before ?? "");
}

/** The statement with its comments, which name parameters too, taken away and its times by the database's clock. */
export function byServerClock(text: string): string {
  const sql = text
    .split("\n")
    .filter((line) => !line.startsWith("--"))
    .join("\n");
  const place = placeOf(sql);
  if (place === undefined) return text;
  const made = replaced(sql, place.parameter, place.by);
  const [asked, told] = place.answer ?? ["", ""];
  return made.replace(asked, () => told);
}

/** True for the one statement that is not given the caller's time by BullMQ, and needs it to answer by it. */
export const asksForCallersTime = (text: string): boolean => text.includes("SELECT next_delay(");

/** From now on BullMQ's statements over this pool go by the database's clock. Its texts are constants, so few are kept. */
export function goByServerClock(pool: pg.Pool): void {
  const query = pool.query.bind(pool) as (text: unknown, values?: unknown) => Promise<pg.QueryResult>;
  const known = new Map<string, { sql: string; isTimed: boolean }>();
  const rewritten = (text: string): { sql: string; isTimed: boolean } => {
    let made = known.get(text);
    if (made === undefined) known.set(text, (made = { sql: byServerClock(text), isTimed: asksForCallersTime(text) }));
    return made;
  };
  Object.assign(pool, {
    query: (text: unknown, values?: unknown) => {
      if (typeof text !== "string") return query(text, values);
      const { sql, isTimed } = rewritten(text);
      return query(sql, isTimed ? [...(values as unknown[]), Date.now()] : values);
    },
  });
}
