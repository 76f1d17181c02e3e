// Statements on events.dead_letter: events a consumer has given up on.
import type { TenantId } from "../../security/principal";
import type { Tx } from "../../db/tenant";

export interface DeadLetterInsert {
  id: string;
  tenantId: string | null;
  consumer: string;
  eventId: string;
  aggregateType: string;
  aggregateId: string;
  type: string;
  version: number;
  payload: unknown;
  headers: Record<string, string>;
  occurredAt: string;
  reason: string;
  error: string;
  traceId: string | null;
  attempts: number;
}

export interface DeadLetterRow extends Omit<DeadLetterInsert, "occurredAt" | "tenantId"> {
  tenantId: TenantId | null;
  occurredAt: Date;
  deadAt: Date;
  redrivenAt: Date | null;
}

const COLUMNS = `id, tenant_id as "tenantId", consumer, event_id as "eventId", aggregate_type as "aggregateType", aggregate_id as "aggregateId",
  type, version, payload, headers, occurred_at as "occurredAt", reason, error, trace_id as "traceId", attempts, dead_at as "deadAt", redriven_at as "redrivenAt"`;

export async function deadLetterInsert(tx: Tx, row: DeadLetterInsert): Promise<void> {
  await tx.execute(
    `insert into events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, headers,
                                     occurred_at, reason, error, trace_id, attempts)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::jsonb, $11, $12, $13, $14, $15)`,
    [
      row.id,
      row.tenantId,
      row.consumer,
      row.eventId,
      row.aggregateType,
      row.aggregateId,
      row.type,
      row.version,
      JSON.stringify(row.payload),
      JSON.stringify(row.headers),
      row.occurredAt,
      row.reason,
      row.error,
      row.traceId,
      row.attempts,
    ],
  );
}

/** The tenant's open dead letters, newest first, from before `(deadAt, id)` on when given. */
export function deadLetterList(
  tx: Tx,
  tenantId: TenantId,
  limit: number,
  before: { deadAt: Date; id: string } | null,
): Promise<DeadLetterRow[]> {
  return tx.query<DeadLetterRow>(
    `select ${COLUMNS} from events.dead_letter
      where tenant_id = $1 and redriven_at is null and ($2::timestamptz is null or (dead_at, id) < ($2, $3::uuid))
      order by dead_at desc, id desc limit $4`,
    [tenantId, before?.deadAt ?? null, before?.id ?? null, limit],
  );
}

/** One open dead letter, locked until the end of the transaction, so that it is redriven once. */
export async function deadLetterTake(tx: Tx, id: string): Promise<DeadLetterRow | undefined> {
  const rows = await tx.query<DeadLetterRow>(
    `select ${COLUMNS} from events.dead_letter where id = $1 and redriven_at is null for update`,
    [id],
  );
  return rows[0];
}

export async function deadLetterMarkRedriven(tx: Tx, id: string): Promise<void> {
  await tx.execute("update events.dead_letter set redriven_at = now() where id = $1", [id]);
}

export const DEAD_LETTER_DEPTH =
  "select count(*) as depth from (select 1 from events.dead_letter where redriven_at is null limit 100000) open";
