// Statements on events.detour: events that go to a consumer by the topic instead of from the relay itself. While one is
// under way, what follows it in its aggregate goes the same way, or it would overtake. What is for a consumer that is held
// (holds.ts) goes no way yet. Each question is a subquery with a limit, one look at an index a pair: EXISTS became a join with all that waits.
import { plainSql } from "../../db/plain-statement";
import { systemQuery, type Tx } from "../../db/tenant";

/** An aggregate of which a relay has rows at hand, up to this position. */
export interface AggregateAtHand {
  aggregateKey: string;
  tenantId: string | null;
  aggregateType: string;
  aggregateId: string;
  position: number;
}

/** A row for a consumer that did not get it directly. */
export interface Detour extends AggregateAtHand {
  consumer: string;
  eventId: string;
  /** Of the outbox's row: the event's, or another one when it is sent again. */
  rowId: string;
  /** No version that runs has the consumer. */
  isMissing: boolean;
}

const IS_HELD = plainSql`(select 1 from events.consumer_hold h where h.consumer = c.consumer limit 1) is not null`;
/** Something of the aggregate that comes before waits for the consumer. */
const IS_BEHIND = plainSql`(select 1 from events.held h
    where h.consumer = c.consumer and h.aggregate_id = a.id and h.aggregate_type = a.type and h.tenant_id is not distinct from a.tenant_id
      and h.position < a.position limit 1) is not null`;
/** The event itself does. */
const WAITS = plainSql`(select 1 from events.held h where h.consumer = c.consumer and h.event_id = c.event_id limit 1) is not null`;

/**
 * Which of these consumers may not be given directly what is at hand of which of these aggregates: what comes before is on its
 * way by the topic or waits, or the consumer is held.
 */
export function closedWays(
  consumers: readonly string[],
  aggregates: readonly AggregateAtHand[],
): Promise<Pick<Detour, "consumer" | "aggregateKey">[]> {
  return systemQuery(
    "relay-detour",
    plainSql`select c.consumer, a.key as "aggregateKey" from unnest($1::text[]) as c (consumer)
      cross join unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[]) as a (key, tenant_id, type, id, position)
      where (select 1 from events.detour d where d.aggregate_key = a.key and d.consumer = c.consumer limit 1) is not null
         or ${IS_HELD} or ${IS_BEHIND}`,
    [consumers, ...columnsOf(aggregates)],
  );
}

/**
 * Notes detours before they are begun; one that is noted already stays as it is. Resolves with those that are not to be begun,
 * because their consumer is held or missing, or something that comes before waits for it: they wait too.
 */
export function detoursBegin(detours: readonly Detour[]): Promise<Pick<Detour, "consumer" | "eventId">[]> {
  return systemQuery(
    "relay-detour",
    `with wanted as materialized (
       select c.consumer, c.event_id, c.row_id, a.key, a.tenant_id, c.is_missing or ${IS_HELD} or ${IS_BEHIND} or ${WAITS} as is_held
         from unnest($1::text[], $2::uuid[], $3::uuid[], $4::boolean[]) with ordinality as c (consumer, event_id, row_id, is_missing, place)
         join unnest($5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::bigint[]) with ordinality as a (key, tenant_id, type, id, position, place)
           on a.place = c.place),
     -- Of a try before, whose hand-over failed.
     over as (
       delete from events.detour d using wanted w where w.is_held and d.consumer = w.consumer and d.event_id = w.event_id),
     begun as (
       insert into events.detour (consumer, aggregate_key, event_id, tenant_id)
       select consumer, key, event_id, tenant_id from wanted where not is_held order by 1, 3 on conflict do nothing),
     kept as (
       insert into events.held (consumer, event_id, tenant_id, position, destination, aggregate_type, aggregate_id, type, version, payload, headers, occurred_at)
       select w.consumer, w.event_id, o.tenant_id, o.position, o.destination, o.aggregate_type, o.aggregate_id, o.type, o.version, o.payload, o.headers, o.occurred_at
         from wanted w join events.outbox o on o.id = w.row_id
        where w.is_held order by 1, 2 on conflict do nothing)
     select consumer, event_id as "eventId" from wanted where is_held`,
    [
      detours.map(({ consumer }) => consumer),
      detours.map(({ eventId }) => eventId),
      detours.map(({ rowId }) => rowId),
      detours.map(({ isMissing }) => isMissing),
      ...columnsOf(detours),
    ],
  );
}

const columnsOf = (aggregates: readonly AggregateAtHand[]): unknown[] => [
  aggregates.map(({ aggregateKey }) => aggregateKey),
  aggregates.map(({ tenantId }) => tenantId),
  aggregates.map(({ aggregateType }) => aggregateType),
  aggregates.map(({ aggregateId }) => aggregateId),
  aggregates.map(({ position }) => position),
];

const END = "delete from events.detour where consumer = $1 and event_id = $2";

/** The consumer is done with the event, without its handler. */
export async function detourEnd(consumer: string, eventId: string): Promise<void> {
  await systemQuery("relay-detour", END, [consumer, eventId]);
}

/** The same in a transaction. */
export async function detourEndIn(tx: Tx, consumer: string, eventId: string): Promise<void> {
  await tx.execute(END, [consumer, eventId]);
}

/** Deletes detours older than the given days, which nobody ended, at most `limit`; resolves with how many went. */
export function detourPurge(tx: Tx, olderThanDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from events.detour where (consumer, event_id) in (
       select consumer, event_id from events.detour
        where begun_at < now() - $1 * interval '1 day'
        order by begun_at limit $2 for update skip locked)`,
    [olderThanDays, limit],
  );
}
