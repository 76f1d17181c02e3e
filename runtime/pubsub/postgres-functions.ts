// What the host adds to BullMQ's tables on Postgres (postgres-schema.ts installs it): functions that settle and claim many messages in one statement,
// indexes for ordering, and vacuuming that keeps up with a table of which every row changes three times.
//
// Where the design comes from:
// - One commit for many messages: graphile-worker's local queue and `completeJobBatchDelay` (release notes of 0.17,
//   worker.graphile.org/docs/performance), BullMQ's own note that processing is "commit/fsync-bound".
// - One NOTIFY for many messages: transactions that notify commit one after the other, behind one lock of the whole
//   server (recall.ai, "Postgres LISTEN/NOTIFY does not scale", 2025; async.c, PreCommit_Notify).
// - Dead rows are what makes `SKIP LOCKED` slow: riverqueue/river#59 (starved autovacuum), NikolayS/PgQue#80 and
//   planetscale.com/blog/keeping-a-postgres-queue-healthy (measured). Hence the table's own autovacuum settings. A
//   lower fillfactor would not help: `state` is in the indexes' predicates, so no update can be a HOT update.
// - Bad statistics right after the first load must not lead to sequential scans (sourcegraph#37462): the functions
//   forbid them.
// - Order per key: only the first unfinished message of a key may be claimed, and none while one is active, as in
//   pg-boss' `key_strict_fifo` (timgit/pg-boss#849, #871) and pgmq's FIFO reads (pgmq/pgmq#294, #477, #497).

import { createHostSchema } from "../host-schema";

/** Messages that a claim looks at by age before it looks at the head of every key instead. */
const ORDERED_WINDOW = 500;

const tables = `${createHostSchema}

alter table bullmq.job set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create index if not exists groundwork_job_key_idx on bullmq.job (queue, (data ->> 'orderingKey'), seq)
  where state in ('waiting', 'delayed', 'active') and data ? 'orderingKey';
create index if not exists groundwork_job_active_key_idx on bullmq.job (queue, (data ->> 'orderingKey'))
  where state = 'active' and data ? 'orderingKey';

do $$ begin
  create type groundwork.pubsub_row as (
    kind text, id text, token text, data text, at bigint, attempts_made integer, attempts_started integer,
    stalled_count integer, failed_reason text, stacktrace text, deferred_failure text);
exception when duplicate_object then null; end $$;`;

/**
 * Makes `p_ids` active, the first under the first token. The caller has chosen them and nobody else may claim them.
 * Locks end by the database's clock: those of the replicas need not agree.
 */
const activate = `
create or replace function groundwork.pubsub_activate(p_queue text, p_ids text[], p_tokens text[], p_lock_ms bigint, p_now bigint)
returns setof groundwork.pubsub_row language sql set enable_seqscan to off as $$
  update bullmq.job set state = 'active', delay_ms = 0, lock_token = p_tokens[chosen.place], locked_until_ms = p_now + p_lock_ms,
    processed_at_ms = p_now, attempts_started = attempts_started + 1
  from unnest(p_ids) with ordinality as chosen (id, place)
  where job.queue = p_queue and job.id = chosen.id and state in ('waiting', 'delayed')
  returning 'claimed', job.id, lock_token, data::text, added_at_ms, attempts_made, attempts_started, stalled_count,
    failed_reason, stacktrace::text, deferred_failure
$$;`;

/** The oldest messages that nobody else is claiming just now. A failed one keeps its place: due, it is among the oldest. */
const claim = `
create or replace function groundwork.pubsub_claim(p_queue text, p_tokens text[], p_lock_ms bigint, p_now bigint)
returns setof groundwork.pubsub_row language plpgsql set enable_seqscan to off as $$
declare
  v_wanted integer := cardinality(p_tokens);
  v_ids text[];
begin
  with ready as materialized (
    select id, priority, seq from bullmq.job where queue = p_queue and state = 'waiting'
    order by priority, seq limit v_wanted for update skip locked
  ), due as materialized (
    select id, priority, seq from bullmq.job where queue = p_queue and state = 'delayed' and process_at_ms <= p_now
    order by process_at_ms limit v_wanted for update skip locked
  ), oldest as (
    select * from ready union all select * from due order by priority, seq limit v_wanted
  )
  select array_agg(id order by priority, seq) into v_ids from oldest;
  if v_ids is not null then
    return query select * from groundwork.pubsub_activate(p_queue, v_ids, p_tokens, p_lock_ms, p_now);
  end if;
end $$;`;

/**
 * The same where messages of one key are handled one after the other. The lock makes replicas take turns, or one
 * could claim the head of a key while another, which does not see that yet, claims what was inserted before it.
 */
const claimOrdered = `
create or replace function groundwork.pubsub_claim_ordered(p_queue text, p_tokens text[], p_lock_ms bigint, p_now bigint)
returns setof groundwork.pubsub_row language plpgsql set enable_seqscan to off as $$
declare
  v_wanted integer := cardinality(p_tokens);
  v_looked_at integer;
  v_ids text[];
begin
  perform pg_advisory_xact_lock(hashtext('groundwork.pubsub'), hashtext(p_queue));
  with ready as materialized (
    select id, seq, data ->> 'orderingKey' as key from bullmq.job where queue = p_queue and state = 'waiting'
    order by priority, seq limit ${ORDERED_WINDOW}
  ), due as materialized (
    select id, seq, data ->> 'orderingKey' as key from bullmq.job
    where queue = p_queue and state = 'delayed' and process_at_ms <= p_now order by process_at_ms limit ${ORDERED_WINDOW}
  ), candidate as (
    select * from ready union all select * from due
  ), eligible as (
    select id, seq from candidate where key is null or not (
      exists (select 1 from bullmq.job other where other.queue = p_queue and other.data ? 'orderingKey'
        and other.data ->> 'orderingKey' = candidate.key and other.state = 'active')
      or exists (select 1 from bullmq.job other where other.queue = p_queue and other.data ? 'orderingKey'
        and other.data ->> 'orderingKey' = candidate.key and other.state in ('waiting', 'delayed', 'active') and other.seq < candidate.seq))
    order by seq limit v_wanted
  )
  select (select array_agg(id order by seq) from eligible), (select count(*) from ready) into v_ids, v_looked_at;
  -- Few keys with many messages each fill the window: go from key to key instead.
  if coalesce(cardinality(v_ids), 0) < v_wanted and v_looked_at = ${ORDERED_WINDOW} then
    with recursive head as (
      (select id, seq, state, process_at_ms, data ->> 'orderingKey' as key from bullmq.job
        where queue = p_queue and state in ('waiting', 'delayed', 'active') and data ? 'orderingKey'
        order by data ->> 'orderingKey', seq limit 1)
      union all
      select next.* from head cross join lateral (
        select id, seq, state, process_at_ms, data ->> 'orderingKey' from bullmq.job
        where queue = p_queue and state in ('waiting', 'delayed', 'active') and data ? 'orderingKey'
          and data ->> 'orderingKey' > head.key
        order by data ->> 'orderingKey', seq limit 1) as next
    ), eligible as (
      select id, seq from head where (state = 'waiting' or state = 'delayed' and process_at_ms <= p_now)
        and not exists (select 1 from bullmq.job other where other.queue = p_queue and other.data ? 'orderingKey'
          and other.data ->> 'orderingKey' = head.key and other.state = 'active')
      union
      select id, seq from bullmq.job where queue = p_queue and id = any (v_ids)
      order by seq limit v_wanted
    )
    select array_agg(id order by seq) into v_ids from eligible;
  end if;
  if v_ids is not null then
    return query select * from groundwork.pubsub_activate(p_queue, v_ids, p_tokens, p_lock_ms, p_now);
  end if;
end $$;`;

/**
 * One turn of a consumer: writes down what became of its messages and claims as many new ones as it has tokens.
 * What is given back counts as not delivered. A version of the host that had no such thing runs beside this one during a
 * deployment and calls the function without that argument, which stays as it was in a database that has it.
 * Rows: `settled` (id) for each outcome that was written, others have lost their lock; `claimed`; and, where fewer than
 * wanted were claimed, `due` of the next delayed message: how long it waits, by the database's clock, and whether it was given back
 * (`data`); when it is due (`at`), for the version of the host that went by its own clock. One that was given back has no delay_ms.
 */
const turn = `
create or replace function groundwork.pubsub_turn(p_queue text, p_ids text[], p_tokens text[], p_states text[], p_delays_ms bigint[],
  p_reasons text[], p_stacks text[], p_claims text[], p_lock_ms bigint, p_ordered boolean, p_given_back boolean[])
returns setof groundwork.pubsub_row language plpgsql set enable_seqscan to off as $$
declare
  v_now bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
  v_wanted integer := cardinality(p_claims);
  v_claimed integer := 0;
begin
  if cardinality(p_ids) > 0 then
    perform from bullmq.job where queue = p_queue and id = any (p_ids) order by id for update; -- always in this order: no deadlocks
    return query
      update bullmq.job set state = outcome.state::bullmq.job_state, lock_token = null, locked_until_ms = null,
        attempts_made = job.attempts_made + case when outcome.given_back then 0 else 1 end,
        attempts_started = job.attempts_started - case when outcome.given_back then 1 else 0 end, deferred_failure = null,
        delay_ms = case when outcome.given_back then 0 else outcome.delay_ms end, process_at_ms = case outcome.state when 'delayed' then v_now + outcome.delay_ms end,
        finished_at_ms = case outcome.state when 'delayed' then null else v_now end,
        return_value = case outcome.state when 'completed' then 'null'::jsonb end,
        failed_reason = coalesce(outcome.reason, job.failed_reason), stacktrace = coalesce(outcome.stack::jsonb, job.stacktrace)
      from unnest(p_ids, p_tokens, p_states, p_delays_ms, p_reasons, p_stacks, p_given_back)
        as outcome (id, token, state, delay_ms, reason, stack, given_back)
      where job.queue = p_queue and job.id = outcome.id and job.state = 'active' and job.lock_token = outcome.token
      returning 'settled', job.id, null::text, null::text, null::bigint, null::integer, null::integer, null::integer, null::text, null::text, null::text;
  end if;
  if v_wanted > 0 and not exists (select from bullmq.meta where queue = p_queue and field = 'paused' and value = '1') then
    if p_ordered then
      return query select * from groundwork.pubsub_claim_ordered(p_queue, p_claims, p_lock_ms, v_now);
    else
      return query select * from groundwork.pubsub_claim(p_queue, p_claims, p_lock_ms, v_now);
    end if;
    get diagnostics v_claimed = row_count;
  end if;
  if v_claimed < v_wanted then
    return query select 'due', null::text, null::text, json_build_object('waitMs', process_at_ms - v_now, 'isGivenBack', delay_ms = 0)::text, process_at_ms, null::integer, null::integer, null::integer, null::text, null::text, null::text
      from bullmq.job where queue = p_queue and state = 'delayed' and process_at_ms > v_now order by process_at_ms limit 1;
  end if;
  -- Others may be idle: they have to know of a retry to come, and of keys that this turn has freed and not taken.
  if cardinality(p_ids) > 0 and ('delayed' = any (p_states) or p_ordered and v_claimed = v_wanted) then
    perform pg_notify('bullmq_jobs', p_queue);
  end if;
end $$;`;

/** Gives back the messages whose lock ran out, at their old place. */
const reclaim = `
create or replace function groundwork.pubsub_reclaim(p_queue text, p_lost_max integer)
returns setof text language plpgsql set enable_seqscan to off as $$
begin
  return query
    update bullmq.job set state = 'waiting', lock_token = null, locked_until_ms = null, stalled_count = stalled_count + 1,
      deferred_failure = case when stalled_count + 1 > p_lost_max then 'job stalled more than allowable limit' else deferred_failure end
    where queue = p_queue and id in (
      select id from bullmq.job where queue = p_queue and state = 'active'
        and locked_until_ms < (extract(epoch from clock_timestamp()) * 1000)::bigint
      order by id for update skip locked)
    returning id;
  if found then perform pg_notify('bullmq_jobs', p_queue); end if;
end $$;`;

/** Renews the locks that are still held; returns the ids of the others. */
const extend = `
create or replace function groundwork.pubsub_extend(p_queue text, p_ids text[], p_tokens text[], p_lock_ms bigint)
returns setof text language plpgsql set enable_seqscan to off as $$
begin
  perform from bullmq.job where queue = p_queue and id = any (p_ids) order by id for update;
  return query with held as (
    update bullmq.job set locked_until_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint + p_lock_ms
    from unnest(p_ids, p_tokens) as lock (id, token)
    where job.queue = p_queue and job.id = lock.id and state = 'active' and lock_token = lock.token
    returning job.id)
  select id from unnest(p_ids) as wanted (id) where id not in (select id from held);
end $$;`;

/** In the order in which they build on each other. */
export const brokerStatements: readonly string[] = [tables, activate, claim, claimOrdered, turn, extend, reclaim];
