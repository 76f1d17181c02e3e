// Statements on events.replay. What loads one stands in a function of the database (migrations 42 and 44).
import { systemQuery, type Tx } from "../../db/tenant";

export interface ReplayInsert {
  id: string;
  consumer: string;
  type: string | null;
  from: Date;
  /** Now, if it is not said. */
  until: Date | null;
  reason: string;
  actor: string;
}

/**
 * Begins a replay of what the versions of the consumer that run have handlers for. Resolves with whether there is such a version;
 * DbError unique_violation `replay_open` when one of the same consumer is not finished.
 */
export async function replayInsert(tx: Tx, replay: ReplayInsert): Promise<boolean> {
  const { id, consumer, type, from, until, reason, actor } = replay;
  const inserted = await tx.execute(
    `insert into events.replay (id, consumer, handled, type, from_at, until_at, reason, actor, cursor_at)
     select $1, $2, array_agg(distinct key), $3, $4, coalesce($5, now()), $6, $7, $4
       from events.consumer_declaration d cross join unnest(d.handled) as h (key) where d.consumer = $2
     having count(*) > 0`,
    [id, consumer, type, from, until, reason, actor],
  );
  return inserted === 1;
}

export interface ReplayProgress {
  consumer: string;
  state: "loading" | "delivering" | "finished";
  /** Events that it brings, so far. */
  loaded: number;
  /** Those of them that are not handed over yet, counted up to a hundred thousand. */
  waiting: number;
}

export async function replayFind(id: string): Promise<ReplayProgress | undefined> {
  const rows = await systemQuery<ReplayProgress>(
    "replay-events",
    `select r.consumer, r.loaded,
            case when r.finished_at is not null then 'finished' when r.loaded_at is not null then 'delivering' else 'loading' end as state,
            (select count(*) from (select from events.held h where h.replay_id = r.id limit 100000) c) as waiting
       from events.replay r where r.id = $1`,
    [id],
  );
  return rows[0];
}

/** Seconds that a replay waits before it is loaded, while its consumer is held: until what relays had at hand is settled, one lease. */
const SETTLED_AFTER = 30;

/** Replays that may be loaded: one for each consumer at most. */
export async function replaysLoading(): Promise<string[]> {
  const rows = await systemQuery<{ id: string }>(
    "replay-events",
    `select id from events.replay
      where finished_at is null and loaded_at is null and started_at <= now() - $1 * interval '1 second' order by started_at limit 1000`,
    [SETTLED_AFTER],
  );
  return rows.map(({ id }) => id);
}

/** Looks at the next `limit` rows of the outbox for a replay; resolves with whether it is loaded. */
export async function replayLoad(id: string, limit: number): Promise<boolean> {
  const [row] = await systemQuery<{ isLoaded: boolean }>(
    "replay-events",
    `select events.replay_load($1, $2) as "isLoaded"`,
    [id, limit],
  );
  return row?.isLoaded ?? true;
}

/** Ends the replays of which nothing waits any more. */
export async function replaysFinish(): Promise<void> {
  await systemQuery(
    "replay-events",
    `update events.replay r set finished_at = now()
      where r.finished_at is null and r.loaded_at is not null and (select 1 from events.held h where h.replay_id = r.id limit 1) is null
        and not exists (select from events.consumer_hold c where c.consumer = r.consumer and c.cause = 'replay')`,
  );
}

/** Stops loading the consumer's replay that is not finished, and locks it; resolves with its id. */
export async function replayStop(tx: Tx, consumer: string): Promise<string | undefined> {
  const [row] = await tx.query<{ id: string }>(
    "update events.replay set loaded_at = coalesce(loaded_at, now()) where consumer = $1 and finished_at is null returning id",
    [consumer],
  );
  return row?.id;
}

/**
 * Takes up to `limit` copies of a replay back, of a consumer that is held: what the consumer had handled or given up is noted as that
 * again, anything else stays and waits like what is new. Finishes the replay, and its hold, with the last of them; resolves with
 * whether there are more.
 */
export async function replayUndo(tx: Tx, id: string, limit: number): Promise<boolean> {
  const [row] = await tx.query<{ undone: number }>(
    `with part as materialized (select consumer, event_id from events.held where replay_id = $1 order by event_id limit $2 for update),
     gone as (
       delete from events.held h using part s
        where h.consumer = s.consumer and h.event_id = s.event_id and h.noted is not null returning h.consumer, h.event_id, h.tenant_id, h.type, h.noted),
     kept as (
       update events.held h set replay_id = null from part s
        where h.consumer = s.consumer and h.event_id = s.event_id and h.noted is null),
     noted as (
       insert into events.inbox (consumer, event_id, tenant_id, type, processed_at, dead_at)
       select consumer, event_id, tenant_id, type, case noted when 'handled' then now() end, case noted when 'dead' then now() end from gone order by event_id
       on conflict (consumer, event_id) do update set processed_at = excluded.processed_at, dead_at = excluded.dead_at
        where inbox.processed_at is null and inbox.dead_at is null)
     select count(*)::int as undone from part`,
    [id, limit],
  );
  if (row?.undone === limit) return true;
  await tx.execute(
    `with ended as (update events.replay set finished_at = now() where id = $1 and finished_at is null returning consumer)
     delete from events.consumer_hold h using ended e where h.consumer = e.consumer and h.cause = 'replay'`,
    [id],
  );
  return false;
}

/** Deletes replays that finished more than the given days ago, at most `limit`; resolves with how many went. */
export function replayPurge(tx: Tx, olderThanDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from events.replay where id in (
       select id from events.replay where finished_at < now() - $1 * interval '1 day' limit $2 for update skip locked)`,
    [olderThanDays, limit],
  );
}
