// Statements on events.outbox. Claiming is `FOR UPDATE SKIP LOCKED` with a lease in the row itself instead of
// a lock held while publishing (as graphile/worker's getJobs.ts and bullmq's claim do): a relay that is
// killed holds nothing, its rows fall due again when the lease ends.
import type { TenantId } from "../../security/principal";
import type { Tx } from "../../db/tenant";

export interface OutboxInsert {
  id: string;
  tenantId: TenantId | null;
  destination: string;
  aggregateType: string;
  aggregateId: string;
  type: string;
  version: number;
  payload: unknown;
  headers: Record<string, string>;
}

export interface OutboxRow extends OutboxInsert {
  /** Order of publishing within the aggregate. */
  position: number;
  occurredAt: Date;
  createdAt: Date;
  /** Tries so far, this one included. */
  attempts: number;
}

/** What became of one claimed row that was not published. */
export interface OutboxFailure {
  id: string;
  retryInMs: number;
  error: string;
}

/** Key of the advisory lock; arbitrary, and nobody else's. */
const CLAIM_LOCK = "6714310251903";

/** Appends a row; an id that is already there is left as it is. */
export async function outboxInsert(tx: Tx, row: OutboxInsert): Promise<void> {
  await tx.execute(
    `insert into events.outbox (id, tenant_id, destination, aggregate_type, aggregate_id, type, version, payload, headers)
     values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb)
     on conflict (id) do nothing`,
    [
      row.id,
      row.tenantId,
      row.destination,
      row.aggregateType,
      row.aggregateId,
      row.type,
      row.version,
      JSON.stringify(row.payload),
      JSON.stringify(row.headers),
    ],
  );
}

/**
 * Lets one claim at a time run, until the end of the transaction. It must be a statement of its own: the
 * claim's snapshot has to be younger than the previous claimer's commit, or two relays could split one
 * aggregate between them and publish it out of order.
 */
export async function outboxLockClaims(tx: Tx): Promise<void> {
  await tx.query("select pg_advisory_xact_lock($1)", [CLAIM_LOCK]);
}

/**
 * Leases up to `limit` due rows in order, none whose aggregate has an earlier row still leased or backing off.
 * Call outboxLockClaims first.
 */
export function outboxClaim(tx: Tx, limit: number, leaseMs: number): Promise<OutboxRow[]> {
  return tx.query<OutboxRow>(
    `with due as (
       select o.id
         from events.outbox o
        where o.published_at is null and o.next_attempt_at <= now()
          and not exists (
            select 1 from events.outbox earlier
             where earlier.published_at is null and earlier.next_attempt_at > now()
               and earlier.aggregate_type = o.aggregate_type and earlier.aggregate_id = o.aggregate_id
               and earlier.position < o.position)
        order by o.position
        limit $1
          for update skip locked
     ), leased as (
       update events.outbox o
          set attempts = o.attempts + 1, next_attempt_at = now() + $2 * interval '1 millisecond'
         from due
        where o.id = due.id
       returning o.*
     )
     select id, position, tenant_id as "tenantId", destination, aggregate_type as "aggregateType", aggregate_id as "aggregateId",
            type, version, payload, headers, occurred_at as "occurredAt", created_at as "createdAt", attempts
       from leased
      order by position`,
    [limit, leaseMs],
  );
}

/** Marks rows as published; rows somebody else has published meanwhile are left alone. */
export async function outboxMarkPublished(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.execute(
    "update events.outbox set published_at = now(), last_error = null where id = any($1::uuid[]) and published_at is null",
    [ids],
  );
}

/** Ends the lease of rows that could not be published: due again after `retryInMs`. */
export async function outboxMarkFailed(tx: Tx, failures: readonly OutboxFailure[]): Promise<void> {
  await tx.execute(
    `update events.outbox o
        set next_attempt_at = now() + f.retry_in_ms * interval '1 millisecond', last_error = f.error
       from unnest($1::uuid[], $2::int[], $3::text[]) as f(id, retry_in_ms, error)
      where o.id = f.id and o.published_at is null`,
    [failures.map((f) => f.id), failures.map((f) => Math.round(f.retryInMs)), failures.map((f) => f.error)],
  );
}

/** Ends the lease of rows nobody tried: due at once, the attempt not counted. */
export async function outboxRelease(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.execute(
    "update events.outbox set next_attempt_at = now(), attempts = attempts - 1 where id = any($1::uuid[]) and published_at is null",
    [ids],
  );
}

/** Whether any unpublished row has fallen due: one row when so, none when not. */
export const OUTBOX_ANY_DUE =
  "select 1 as due from events.outbox where published_at is null and next_attempt_at <= now() limit 1";

/** Unpublished rows, counted up to a hundred thousand, so that a huge backlog stays cheap to report. */
export const OUTBOX_DEPTH =
  "select count(*) as depth from (select 1 from events.outbox where published_at is null limit 100000) pending";

/** Deletes published rows older than the given days, at most `limit`; resolves with how many went. */
export async function outboxPurge(tx: Tx, olderThanDays: number, limit: number): Promise<number> {
  await tx.query("select set_config('app.outbox_purge', 'on', true)");
  return tx.execute(
    `delete from events.outbox where id in (
       select id from events.outbox
        where occurred_at < now() - $1 * interval '1 day' and published_at is not null
        order by occurred_at limit $2)`,
    [olderThanDays, limit],
  );
}
