// Statements on events.outbox. What a claim and a settlement do stands in functions of the database (migration 2):
// each is one round trip, and their statements must see one another's effects. A claim is a lease in the table instead
// of a lock held while publishing (as graphile-worker's getJobs.ts and bullmq's claim do): a relay that is killed
// holds nothing, what it held falls due again when the lease ends.
import { plainSql } from "../../db/plain-statement";
import { systemQuery } from "../../db/tenant";
import type { TenantId } from "../../security/principal";
import type { Tx } from "../../db/tenant";
import { REDRIVE_OF } from "../topic";

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
  /** Handed over so many milliseconds later at the earliest, by the database's clock. */
  delayMs?: number;
}

export interface OutboxRow extends Omit<OutboxInsert, "delayMs"> {
  /** Destination, tenant and aggregate in one: rows with the same key are published in order. */
  aggregateKey: string;
  /** Order of publishing within the aggregate. */
  position: number;
  occurredAt: Date;
  /** When its first try could have been: since it was written, or since a delay that was asked for. */
  dueAt: Date;
  /** Tries so far, this one included. */
  attempts: number;
  /** Tries so far that failed while the destination accepted others. */
  refusals: number;
}

/** One claimed row that was not published. */
export interface OutboxFailure {
  id: string;
  retryInMs: number;
  /** Whether the destination accepted others meanwhile. */
  isRefused: boolean;
  error: string;
}

/** One claimed row that is given up. */
export interface OutboxBurial {
  id: string;
  /** Of the dead letter that it becomes. */
  letterId: string;
  error: string;
}

/** What became of the rows of some claimed aggregates. */
export interface OutboxSettlement {
  /** Aggregates whose lease ends. */
  keys: string[];
  published: string[];
  failed: OutboxFailure[];
  dead: OutboxBurial[];
  /** Rows that nobody tried: the attempt does not count. */
  released: string[];
}

const APPEND = plainSql`select from events.outbox_append($1, $2, $3, $4, $5, $6, $7, $8, $9)`;
/** The same for a row that waits for its time; $10 milliseconds from now, not from when the transaction began. */
const APPEND_LATER = plainSql`
  insert into events.outbox (id, tenant_id, destination, aggregate_type, aggregate_id, type, version, payload, headers, next_attempt_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp() + $10 * interval '1 millisecond')
  on conflict on constraint outbox_pkey do nothing`;
/** Rows that a transaction keeps in memory at most. */
const UNSENT_MAX = 50;

/**
 * Appends a row, whose content comes as JSON text, with the transaction's next statement or its commit, or at once where
 * many wait for that; an id that is already there is left as it is.
 */
export async function outboxInsert(tx: Tx, row: Omit<OutboxInsert, "payload">, payload: string): Promise<void> {
  const values: unknown[] = [
    row.id,
    row.tenantId,
    row.destination,
    row.aggregateType,
    row.aggregateId,
    row.type,
    row.version,
    payload,
    JSON.stringify(row.headers),
  ];
  const isLater = row.delayMs !== undefined && row.delayMs > 0;
  if (isLater) values.push(row.delayMs);
  const statement = isLater ? APPEND_LATER : APPEND;
  if (tx.unsent < UNSENT_MAX) tx.executeLater(statement, values);
  else await tx.execute(statement, values);
}

/** Lets a row that waits for its time, or for another attempt, be handed over now. */
export async function outboxHasten(tx: Tx, id: string): Promise<void> {
  await tx.execute("update events.outbox set next_attempt_at = now() where id = $1 and published_at is null", [id]);
}

/**
 * Tenants that have something to publish, in the order of their ids after the given one, `limit` at most, and whether
 * something of it is due for the destination.
 */
export function outboxTenants(
  destination: string,
  after: string,
  limit: number,
): Promise<{ id: string; isDue: boolean }[]> {
  return systemQuery("relay-claim", plainSql`select id, is_due as "isDue" from events.outbox_tenants($1, $2, $3)`, [
    destination,
    after,
    limit,
  ]);
}

/**
 * Leases up to `limit` due aggregates of the destination, first of the tenants that are named and then the longest due, and resolves with their first unpublished rows, at most
 * `limit` in all, or `depth` of each, sorted by position. Costs the same however many rows wait behind one that fails.
 */
export function outboxClaim(
  destination: string,
  { limit, depth }: { limit: number; depth: number },
  leaseId: string,
  leaseMs: number,
  tenantIds: readonly string[],
): Promise<OutboxRow[]> {
  return systemQuery<OutboxRow>(
    "relay-claim",
    plainSql`select id, position, tenant_id as "tenantId", destination, aggregate_type as "aggregateType", aggregate_id as "aggregateId",
            aggregate_key as "aggregateKey", type, version, payload, headers, occurred_at as "occurredAt", case when attempts = 1 then next_attempt_at else created_at end as "dueAt", attempts, refusals
       from events.outbox_claim($1, $2, $3, $4, $5::uuid[], $6)
      order by position`,
    [destination, limit, leaseId, leaseMs, tenantIds, depth],
  );
}

/** Columns as Postgres writes them, for who hands them on byte by byte. */
export interface OutboxText {
  id: string;
  /** What the event is known by: its id, of a copy or a redriven row the id that it had first. */
  eventId: string;
  tenantId: string | null;
  aggregateType: string;
  aggregateId: string;
  type: string;
  version: number;
  payload: string;
  headers: string;
  /** ISO 8601 in UTC, with microseconds. */
  occurredAt: string;
  /** Whole milliseconds since 1970, as text. */
  occurredAtMs: string;
}

/** The rows with these ids, in any order. */
export function outboxTexts(ids: readonly string[]): Promise<OutboxText[]> {
  return systemQuery<OutboxText>(
    "relay-claim",
    `select id, coalesce(headers ->> '${REDRIVE_OF}', id::text) as "eventId", tenant_id as "tenantId", aggregate_type as "aggregateType",
            aggregate_id as "aggregateId", type, version, payload::text as payload, (headers - '${REDRIVE_OF}')::text as headers,
            to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt",
            floor(extract(epoch from occurred_at) * 1000)::text as "occurredAtMs"
       from events.outbox where id = any($1::uuid[])`,
    [ids],
  );
}

/**
 * Writes down what became of claimed rows and ends the lease of their aggregates. May be called late, when another
 * claim has the aggregate: then only what was published is noted.
 */
export async function outboxSettle(
  leaseId: string,
  { keys, published, failed, dead, released }: OutboxSettlement,
): Promise<void> {
  await systemQuery(
    "relay-settle",
    plainSql`select events.outbox_settle($1, $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::boolean[], $8::text[], $9::uuid[], $10::uuid[], $11::text[])`,
    [
      leaseId,
      keys,
      published,
      released,
      failed.map(({ id }) => id),
      failed.map(({ retryInMs }) => Math.round(retryInMs)),
      failed.map(({ isRefused }) => isRefused),
      failed.map(({ error }) => error),
      dead.map(({ id }) => id),
      dead.map(({ letterId }) => letterId),
      dead.map(({ error }) => error),
    ],
  );
}

/** Unpublished rows, counted up to a hundred thousand, so that a huge backlog stays cheap to report; without those whose time has not come. */
export const OUTBOX_DEPTH = `
  select count(*) as depth from (
    select 1 from events.outbox where published_at is null and (next_attempt_at <= now() or last_error is not null) limit 100000) pending`;

/** Which of the rows $1 nobody has handed over, and when they are due: they wait, or were given up and may be sent again. */
export const OUTBOX_KEPT = `
  select id, (extract(epoch from next_attempt_at) * 1000)::float8 as "dueMs" from events.outbox
   where id = any($1::uuid[]) and (published_at is null or dead_at is not null)`;

/** How long published rows are kept, and with them what a replay can bring. */
export const OUTBOX_DAYS = 14;

/** Deletes rows published longer ago than the given days, at most `limit`; resolves with how many went. */
export async function outboxPurge(tx: Tx, olderThanDays: number, limit: number): Promise<number> {
  await tx.query("select set_config('app.outbox_purge', 'on', true)");
  return tx.execute(
    `delete from events.outbox where id in (
       select id from events.outbox
        where published_at < now() - $1 * interval '1 day'
        order by published_at limit $2 for update skip locked)`,
    [olderThanDays, limit],
  );
}
