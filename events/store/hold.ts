// Statements on events.consumer_hold and events.held: which consumers are held, and what waits for them.
import { systemQuery, type Tx } from "../../db/tenant";
import { DECLARATION_MINUTES } from "./declaration";

export type HoldCause = "pause" | "replay";

export interface Hold {
  consumer: string;
  cause: HoldCause;
  reason: string;
  /** Who holds it: `kind:id`, or `system:command`. */
  actor: string;
}

/** False when it is held for this cause already: that hold stays as it is. */
export async function holdInsert(tx: Tx, { consumer, cause, reason, actor }: Hold): Promise<boolean> {
  const inserted = await tx.execute(
    "insert into events.consumer_hold (consumer, cause, reason, actor) values ($1, $2, $3, $4) on conflict do nothing",
    [consumer, cause, reason, actor],
  );
  return inserted === 1;
}

/** Waits for who is putting something by for the consumer. False when it was not held for this cause. */
export async function holdDelete(tx: Tx, consumer: string, cause: HoldCause): Promise<boolean> {
  const deleted = await tx.execute("delete from events.consumer_hold where consumer = $1 and cause = $2", [
    consumer,
    cause,
  ]);
  return deleted === 1;
}

/** The consumers that are held, for whatever cause. */
export async function heldConsumers(): Promise<string[]> {
  const rows = await systemQuery<{ consumer: string }>(
    "hold-events",
    "select distinct consumer from events.consumer_hold limit 10000",
  );
  return rows.map(({ consumer }) => consumer);
}

/** An event that came to its consumer by the topic. */
export interface DeliveredEvent {
  id: string;
  tenantId: string | null;
  aggregateType: string;
  aggregateId: string;
  type: string;
  version: number;
  payload: unknown;
  headers: Record<string, string>;
  occurredAt: string;
}

/**
 * Puts a delivered event by for its consumer, if that is held or something of the aggregate that comes before waits for it.
 * False when neither holds any more. A hold does not end meanwhile. `position` is null for an event that was never held.
 */
export async function heldInsertDelivered(
  tx: Tx,
  consumer: string,
  event: DeliveredEvent,
  position: number | null,
): Promise<boolean> {
  const { id, tenantId, aggregateType, aggregateId, type, version, payload, headers, occurredAt } = event;
  const rows = await tx.query<{ isHeld: boolean }>(
    `with hold as materialized (select 1 from events.consumer_hold where consumer = $1 for share),
     before as (
       select 1 from events.held h
        where h.consumer = $1 and h.aggregate_id = $5 and h.aggregate_type = $4 and h.tenant_id is not distinct from $3
          and ($11::bigint is null or h.position < $11 or h.event_id = $2)
        limit 1),
     decided as materialized (select exists (select from hold) or exists (select from before) as is_held),
     ended as (delete from events.detour where consumer = $1 and event_id = $2 and (select is_held from decided)),
     kept as (
       insert into events.held (consumer, event_id, tenant_id, position, destination, aggregate_type, aggregate_id, type, version, payload, headers, occurred_at)
       select $1, $2, $3, coalesce($11, o.position, 0), coalesce(o.destination, 'event'), $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10
         from decided left join events.outbox o on o.id = $2
        where is_held
       on conflict do nothing)
     select is_held as "isHeld" from decided`,
    [
      consumer,
      id,
      tenantId,
      aggregateType,
      aggregateId,
      type,
      version,
      JSON.stringify(payload ?? null),
      JSON.stringify(headers),
      occurredAt,
      position,
    ],
  );
  return rows[0]?.isHeld === true;
}

/**
 * Moves up to `limit` events that no hold keeps any more back into the outbox, each for its consumer, and resolves with how many; with
 * none while `openMax` aggregates have events to publish.
 */
export async function heldRelease(limit: number, openMax: number): Promise<number> {
  const [row] = await systemQuery<{ moved: number }>("hold-events", "select events.release_held($1, $2) as moved", [
    limit,
    openMax,
  ]);
  return row?.moved ?? 0;
}

/** What waits for each consumer is counted no further. */
export const HELD_COUNT_MAX = 100_000;

/** Consumers for which something waits, from index entry to index entry. */
const WAITING = `waiting (consumer) as (
    (select h.consumer from events.held h order by h.consumer limit 1)
    union all
    select (select h.consumer from events.held h where h.consumer > w.consumer order by h.consumer limit 1)
      from waiting w where w.consumer is not null)`;

const COUNTED = `(select count(*) from (select from events.held h where h.consumer = n.consumer limit ${HELD_COUNT_MAX}) c)`;

export interface ConsumerStanding {
  consumer: string;
  pausedSince: Date | null;
  pausedBy: string | null;
  pauseReason: string | null;
  /** Events that wait for it, HELD_COUNT_MAX at most. */
  waiting: number;
  /** When the first of them occurred. */
  waitingSince: Date | null;
  /** Whether a version that runs has it: nothing is handed over to one that none has. */
  isDeclared: boolean;
  /** Of the replay that is not finished. */
  replayId: string | null;
  replayLoaded: number | null;
  replayWaiting: number | null;
  isReplayLoading: boolean;
}

/** Consumers that a version of the app declared within a day, and those that are held or have something waiting, by name; a thousand at most. */
export function consumerStandings(tx: Tx): Promise<ConsumerStanding[]> {
  return tx.query<ConsumerStanding>(
    `with recursive ${WAITING}, names as (
       select consumer from events.consumer_declaration union select consumer from events.consumer_hold
       union select consumer from waiting where consumer is not null union select consumer from events.replay where finished_at is null)
     select n.consumer, p.held_since as "pausedSince", p.actor as "pausedBy", p.reason as "pauseReason", ${COUNTED} as waiting,
            (select h.occurred_at from events.held h where h.consumer = n.consumer order by h.position limit 1) as "waitingSince",
            exists (select from events.consumer_declaration d where d.consumer = n.consumer and d.seen_at > now() - interval '${DECLARATION_MINUTES} minutes') as "isDeclared",
            r.id as "replayId", r.loaded as "replayLoaded", r.id is not null and r.loaded_at is null as "isReplayLoading",
            case when r.id is not null then (select count(*) from (select from events.held h where h.replay_id = r.id limit ${HELD_COUNT_MAX}) c) end as "replayWaiting"
       from names n
       left join events.consumer_hold p on p.consumer = n.consumer and p.cause = 'pause'
       left join events.replay r on r.consumer = n.consumer and r.finished_at is null
      order by n.consumer limit 1000`,
  );
}

/** Statement: consumers that are paused or have something waiting, how much, and for how long the first of it has waited. */
export const HELD_DEPTHS = `with recursive ${WAITING}, names as (
    select consumer from events.consumer_hold where cause = 'pause' union select consumer from waiting where consumer is not null)
  select n.consumer, ${COUNTED} as waiting,
         coalesce((select extract(epoch from now() - h.held_at) from events.held h where h.consumer = n.consumer order by h.position limit 1), 0)::float8 as "oldestSeconds",
         exists (select from events.consumer_hold p where p.consumer = n.consumer and p.cause = 'pause') as "isPaused"
    from names n limit 1000`;

/** The database's time, as text that it reads again to the microsecond. */
export async function heldNow(tx: Tx): Promise<string> {
  const [row] = await tx.query<{ now: string }>("select now()::text as now");
  return row?.now ?? "";
}

/**
 * Takes away, at most `limit`, what has waited for the consumer since before the given time; resolves with how many went. The consumer
 * is done with them: what a replay took back of its notes is noted again, anything else counts as given up.
 */
export async function heldDiscard(tx: Tx, consumer: string, before: string, limit: number): Promise<number> {
  const [row] = await tx.query<{ gone: number }>(
    `with part as materialized (
       select event_id from events.held where consumer = $1 and held_at <= $2::timestamptz order by event_id limit $3 for update),
     gone as (
       delete from events.held h using part p where h.consumer = $1 and h.event_id = p.event_id
       returning h.consumer, h.event_id, h.tenant_id, h.type, h.noted),
     noted as (
       insert into events.inbox (consumer, event_id, tenant_id, type, processed_at, dead_at)
       select consumer, event_id, tenant_id, type, case noted when 'handled' then now() end, case when noted is distinct from 'handled' then now() end
         from gone order by event_id
       on conflict (consumer, event_id) do update set processed_at = excluded.processed_at, dead_at = excluded.dead_at
        where inbox.processed_at is null and inbox.dead_at is null)
     select count(*)::int as gone from gone`,
    [consumer, before, limit],
  );
  return row?.gone ?? 0;
}

/** Deletes what has waited for longer than the given days, at most `limit`; resolves with how many went for which consumer. */
export function heldPurge(tx: Tx, olderThanDays: number, limit: number): Promise<{ consumer: string; gone: number }[]> {
  return tx.query(
    `with gone as (
       delete from events.held where (consumer, event_id) in (
         select consumer, event_id from events.held
          where held_at < now() - $1 * interval '1 day'
          order by held_at limit $2 for update skip locked)
       returning consumer)
     select consumer, count(*)::int as gone from gone group by consumer limit 10000`,
    [olderThanDays, limit],
  );
}
