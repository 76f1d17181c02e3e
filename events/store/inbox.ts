// Statements on events.inbox: one row for each consumer and event it has seen.
import { systemQuery, type Tx } from "../../db/tenant";

/** The part of an event the inbox needs. */
export interface InboxKey {
  id: string;
  tenantId: string | null;
  type: string;
}

export interface InboxEvent extends InboxKey {
  aggregateType: string;
  aggregateId: string;
}

/** Of the message that brings an event: what it says of the times when the event was put by (holds.ts). */
export interface InboxHeld {
  /** Of an event that was held; null: behind all that wait. */
  position: number | null;
  /** How often it had been put by. */
  round: number;
}

/**
 * `behind`: something of the aggregate that comes before the event, or itself, waits for the consumer (holds.ts); nothing was noted.
 * `held`: the consumer is, and the transaction is to be rolled back.
 */
export type InboxStanding = "fresh" | "known" | "behind" | "held";

/**
 * Notes that `consumer` handles the event in this transaction. `known` when it has done so already or has given
 * it up, and when the event was put by since this message was sent: another one follows. A second delivery at the same time waits here until the first has committed or rolled back, and whether the consumer is held
 * is asked after that: what is `fresh` began before any hold that is committed later. Its detour, if it
 * came by one, is over, unless another message follows.
 */
export async function inboxRecord(
  tx: Tx,
  consumer: string,
  event: InboxEvent,
  { position, round }: InboxHeld,
): Promise<InboxStanding> {
  const [row] = await tx.query<{ standing: InboxStanding }>(
    `with behind as materialized (
       select 1 from events.held h
        where h.consumer = $1 and h.aggregate_id = $6 and h.aggregate_type = $5 and h.tenant_id is not distinct from $3
          and ($7::bigint is null or h.position < $7 or h.event_id = $2)
        limit 1),
     passed as (
       select 1 from events.inbox
        where consumer = $1 and event_id = $2 and round > $8 and processed_at is null and dead_at is null),
     ended as (
       delete from events.detour
        where consumer = $1 and event_id = $2 and not exists (select from behind) and not exists (select from passed)),
     noted as (
       insert into events.inbox (consumer, event_id, tenant_id, type, processed_at)
       select $1, $2, $3, $4, now() where not exists (select from behind)
       on conflict (consumer, event_id) do update set processed_at = now(), last_error = null
        where inbox.processed_at is null and inbox.dead_at is null and inbox.round <= $8
       returning 1)
     select case when exists (select from noted) then case when events.is_held($1) then 'held' else 'fresh' end
                 when exists (select from behind) then 'behind' else 'known' end as standing`,
    [consumer, event.id, event.tenantId, event.type, event.aggregateType, event.aggregateId, position, round],
  );
  return row?.standing ?? "known";
}

/**
 * The same for several events of one tenant in one statement; resolves with the ids of those that are to be handled, or with null when
 * the consumer is held: the transaction is then to be rolled back. In the order of their ids, so that two that note the same events do
 * not wait for each other in a circle.
 */
export async function inboxRecordTogether(
  tx: Tx,
  consumer: string,
  tenantId: string | null,
  events: readonly InboxKey[],
): Promise<Set<string> | null> {
  const [row] = await tx.query<{ ids: string[]; isHeld: boolean }>(
    // Asked of the aggregate's result: when all are noted, whatever that had to wait for.
    `with noted as (
       insert into events.inbox (consumer, event_id, tenant_id, type, processed_at)
       select $1, e.id, $2, e.type, now() from unnest($3::uuid[], $4::text[]) as e (id, type) order by e.id
       on conflict (consumer, event_id) do update set processed_at = now(), last_error = null
        where inbox.processed_at is null and inbox.dead_at is null
       returning event_id)
     select coalesce(array_agg(event_id::text), '{}') as ids, events.is_held($1) as "isHeld" from noted`,
    [consumer, tenantId, events.map(({ id }) => id), events.map(({ type }) => type)],
  );
  return row === undefined || row.isHeld ? null : new Set(row.ids);
}

/** Takes back, in the transaction that noted them, that these events are handled in it. */
export async function inboxLeave(tx: Tx, consumer: string, eventIds: readonly string[]): Promise<void> {
  await tx.execute("update events.inbox set processed_at = null where consumer = $1 and event_id = any($2::uuid[])", [
    consumer,
    eventIds,
  ]);
}

export interface InboxFailure {
  /** Attempts that have failed. */
  attempts: number;
  /** Since the consumer first saw the event, or since it was opened again. */
  waitedHours: number;
}

/** Attempts that were counted so far; 0 for an event that the consumer has not seen. */
export async function inboxAttempts(consumer: string, eventId: string): Promise<number> {
  const rows = await systemQuery<{ attempts: number }>(
    "consume-failed",
    "select attempts from events.inbox where consumer = $1 and event_id = $2",
    [consumer, eventId],
  );
  return rows[0]?.attempts ?? 0;
}

/** Adds `count` failed attempts and says how things stand; null when the event was handled or given up meanwhile. */
export async function inboxCountFailure(
  tx: Tx,
  consumer: string,
  event: InboxKey,
  error: string,
  count: number,
): Promise<InboxFailure | null> {
  const rows = await tx.query<InboxFailure>(
    `insert into events.inbox (consumer, event_id, tenant_id, type, attempts, last_error) values ($1, $2, $3, $4, $6, $5)
     on conflict (consumer, event_id) do update set attempts = inbox.attempts + $6, last_error = excluded.last_error
      where inbox.processed_at is null and inbox.dead_at is null
     returning attempts, (extract(epoch from now() - received_at) / 3600)::float8 as "waitedHours"`,
    [consumer, event.id, event.tenantId, event.type, error, count],
  );
  return rows[0] ?? null;
}

/** Takes back a failed attempt that was counted before it began, and did not begin. */
export async function inboxUncount(consumer: string, eventId: string): Promise<void> {
  await systemQuery(
    "consume-failed",
    "update events.inbox set attempts = attempts - 1 where consumer = $1 and event_id = $2 and attempts > 0 and processed_at is null and dead_at is null",
    [consumer, eventId],
  );
}

/** Closes the event for the consumer: later deliveries are acknowledged without effect. */
export async function inboxMarkDead(tx: Tx, consumer: string, eventId: string): Promise<void> {
  await tx.execute(
    `with ended as (delete from events.detour where consumer = $1 and event_id = $2)
     update events.inbox set dead_at = now() where consumer = $1 and event_id = $2 and processed_at is null`,
    [consumer, eventId],
  );
}

/** Opens the events of dead letters again for the consumers that gave them up, with all their attempts. */
export async function inboxReopen(tx: Tx, deadLetterIds: readonly string[]): Promise<void> {
  await tx.execute(
    `update events.inbox i set dead_at = null, attempts = 0, received_at = now() from events.dead_letter l
      where l.id = any($1::uuid[]) and i.consumer = l.consumer and i.event_id = l.event_id and i.processed_at is null`,
    [deadLetterIds],
  );
}

/** Deletes rows older than the given days, at most `limit`; resolves with how many went. */
export function inboxPurge(tx: Tx, olderThanDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from events.inbox where (consumer, event_id) in (
       select consumer, event_id from events.inbox
        where received_at < now() - $1 * interval '1 day'
        order by received_at limit $2 for update skip locked)`,
    [olderThanDays, limit],
  );
}
