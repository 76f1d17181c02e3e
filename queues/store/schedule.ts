// Statements on queues.schedule. All times are the database's.
import type { Tx } from "../../db/tenant";
import type { ScheduleSpec } from "../next-tick";

export type Missed = "once" | "skip";

export interface ScheduleRow {
  job: string;
  name: string;
  spec: ScheduleSpec;
  missed: Missed;
  payload: unknown;
  nextMs: number;
}

interface Stored extends Omit<ScheduleRow, "spec"> {
  pattern: string | null;
  zone: string | null;
  everyMs: number | null;
}

const COLUMNS = `job, name, pattern, zone, every_ms::float8 as "everyMs", missed, payload, (extract(epoch from next_at) * 1000)::float8 as "nextMs"`;

const rowOf = ({ pattern, zone, everyMs, ...rest }: Stored): ScheduleRow => ({
  ...rest,
  spec: pattern !== null && zone !== null ? { pattern, zone } : { everyMs: everyMs ?? 1 },
});

export async function clockRead(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ ms: number }>("select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms");
  return row?.ms ?? Number.NaN;
}

/** Writes a schedule. One that has the same ticks already keeps its next one: declaring it at every start delays nothing. */
export async function scheduleUpsert(tx: Tx, { spec, ...row }: ScheduleRow): Promise<void> {
  const [pattern, zone, everyMs] = "everyMs" in spec ? [null, null, spec.everyMs] : [spec.pattern, spec.zone, null];
  await tx.execute(
    `insert into queues.schedule as s (job, name, pattern, zone, every_ms, missed, payload, next_at)
     values ($1, $2, $3, $4, $5, $6, $7::jsonb, to_timestamp($8::float8 / 1000))
     on conflict (job, name) do update
        set pattern = excluded.pattern, zone = excluded.zone, every_ms = excluded.every_ms, missed = excluded.missed, payload = excluded.payload,
            next_at = case when (s.pattern, s.zone, s.every_ms) is not distinct from (excluded.pattern, excluded.zone, excluded.every_ms)
                           then s.next_at else excluded.next_at end`,
    [row.job, row.name, pattern, zone, everyMs, row.missed, JSON.stringify(row.payload), row.nextMs],
  );
}

export async function scheduleDelete(tx: Tx, job: string, name: string): Promise<void> {
  await tx.execute("delete from queues.schedule where job = $1 and name = $2", [job, name]);
}

const LEFT_ALONE = (at: number): string => `(job, name) in (select * from unnest($${at}::text[], $${at + 1}::text[]))`;

/**
 * The schedule of these jobs that is due the longest, without those of `asideJobs` and `asideNames`, held until the end of the
 * transaction; what another holds is left to it.
 */
export async function scheduleClaim(
  tx: Tx,
  jobs: readonly string[],
  asideJobs: readonly string[],
  asideNames: readonly string[],
): Promise<ScheduleRow | undefined> {
  const [row] = await tx.query<Stored>(
    `select ${COLUMNS} from queues.schedule where job = any($1) and next_at <= clock_timestamp() and not ${LEFT_ALONE(2)}
      order by next_at limit 1 for update skip locked`,
    [jobs, asideJobs, asideNames],
  );
  return row && rowOf(row);
}

export async function scheduleAdvance(tx: Tx, { job, name }: ScheduleRow, nextMs: number): Promise<void> {
  await tx.execute(
    "update queues.schedule set next_at = to_timestamp($3::float8 / 1000) where job = $1 and name = $2",
    [job, name, nextMs],
  );
}

/** Milliseconds until one of the jobs $1 is due, without the schedules $2 (jobs), $3 (names), by the database's clock; null when there is none. */
export const SCHEDULES_WAIT = `
  select (extract(epoch from min(next_at) - clock_timestamp()) * 1000)::float8 as ms from queues.schedule
   where job = any($1) and not ${LEFT_ALONE(2)}`;
