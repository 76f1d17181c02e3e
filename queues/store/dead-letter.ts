// Statements on queues.dead_letter: jobs that failed for good.
import type { TenantId } from "../../security/principal";
import type { Tx } from "../../db/tenant";

export interface JobDeadLetterInsert {
  id: string;
  tenantId: TenantId | null;
  queue: string;
  jobId: string;
  payload: unknown;
  headers: Record<string, string>;
  reason: string;
  error: string;
  traceId: string | null;
  attempts: number;
}

export interface JobDeadLetterRow extends JobDeadLetterInsert {
  deadAt: Date;
  redrivenAt: Date | null;
}

const COLUMNS = `id, tenant_id as "tenantId", queue, job_id as "jobId", payload, headers, reason, error, trace_id as "traceId", attempts,
  dead_at as "deadAt", redriven_at as "redrivenAt"`;

/** Inserts the row; false when the job has one already (the process died between burying it and telling BullMQ). */
export async function jobDeadLetterInsert(tx: Tx, row: JobDeadLetterInsert): Promise<boolean> {
  const inserted = await tx.execute(
    `insert into queues.dead_letter (id, tenant_id, queue, job_id, payload, headers, reason, error, trace_id, attempts)
     values ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8, $9, $10)
     on conflict (queue, job_id) do nothing`,
    [
      row.id,
      row.tenantId,
      row.queue,
      row.jobId,
      JSON.stringify(row.payload ?? null),
      JSON.stringify(row.headers),
      row.reason,
      row.error,
      row.traceId,
      row.attempts,
    ],
  );
  return inserted === 1;
}

/** The tenant's open dead letters, newest first, from before `(deadAt, id)` on when given. */
export function jobDeadLetterList(
  tx: Tx,
  tenantId: TenantId,
  limit: number,
  before: { deadAt: Date; id: string } | null,
): Promise<JobDeadLetterRow[]> {
  return tx.query<JobDeadLetterRow>(
    `select ${COLUMNS} from queues.dead_letter
      where tenant_id = $1 and redriven_at is null and ($2::timestamptz is null or (dead_at, id) < ($2, $3::uuid))
      order by dead_at desc, id desc limit $4`,
    [tenantId, before?.deadAt ?? null, before?.id ?? null, limit],
  );
}

/** One open dead letter, locked until the end of the transaction, so that it is redriven once. */
export async function jobDeadLetterTake(tx: Tx, id: string): Promise<JobDeadLetterRow | undefined> {
  const rows = await tx.query<JobDeadLetterRow>(
    `select ${COLUMNS} from queues.dead_letter where id = $1 and redriven_at is null for update`,
    [id],
  );
  return rows[0];
}

export async function jobDeadLetterMarkRedriven(tx: Tx, id: string): Promise<void> {
  await tx.execute("update queues.dead_letter set redriven_at = now() where id = $1", [id]);
}

export const JOB_DEAD_LETTER_DEPTH =
  "select count(*) as depth from (select 1 from queues.dead_letter where redriven_at is null limit 100000) open";
