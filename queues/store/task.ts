// Statements on queues.task and queues.task_log.
import { beforeCursor, cursorMicros, cursorParams, pageOf, type Cursor, type Page } from "../../db/cursor";
import type { TenantScope, Tx } from "../../db/tenant";
import { tenantQuery } from "../../db/tenant";

export type TaskState = "waiting" | "running" | "completed" | "failed" | "canceled";

export interface TaskRow {
  id: string;
  job: string;
  state: TaskState;
  version: number;
  attempts: number;
  progress: number | null;
  result: unknown;
  reason: string | null;
  isCanceling: boolean;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  cursorMicros: string;
}

export interface LogRow {
  seq: number;
  at: Date;
  text: string;
}

const COLUMNS = `id, job, state, version, attempts, progress, result, reason, cancel_at is not null as "isCanceling",
  created_at as "createdAt", started_at as "startedAt", ended_at as "endedAt", ${cursorMicros("created_at")} as "cursorMicros"`;

/** Once for each id: a job that is asked for again by its dedupe key is the same task. */
export async function taskInsert(
  tx: Tx,
  { id, tenantId, job, actor }: { id: string; tenantId: string | null; job: string; actor: string },
): Promise<void> {
  await tx.execute(
    "insert into queues.task (id, tenant_id, job, actor, state) values ($1, $2, $3, $4, 'waiting') on conflict (id) do nothing",
    [id, tenantId, job, actor],
  );
}

/**
 * Runs that begin ($1 ids, $2 tenants, $3 jobs, $4 attempts, $5 actors); answers those that were canceled before, which end here. One
 * that nobody has enqueued in a transaction (a schedule's, a redriven one) gets its row now. In one order, against deadlocks.
 */
export const TASKS_BEGIN = `
  insert into queues.task as t (id, tenant_id, job, actor, state, attempts, started_at, seen_at)
  select id, tenant_id, job, actor, 'running', attempt, now(), now()
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[]) as b (id, tenant_id, job, attempt, actor) order by id
  on conflict (id) do update
     set state = case when t.cancel_at is null then 'running' else 'canceled' end,
         ended_at = case when t.cancel_at is null then null else coalesce(t.ended_at, now()) end,
         version = t.version + 1, attempts = excluded.attempts, started_at = coalesce(t.started_at, now()), seen_at = now(),
         progress = null, reason = null
  returning id, state = 'canceled' as "isCanceled"`;

/**
 * Runs that are over ($1 ids, $2 attempts, $3 states, $4 reasons, $5 results as JSON). 'waiting' is one that will be tried
 * again; one whose next attempt has begun already stays as that left it.
 */
export const TASKS_END = `
  update queues.task t
     set state = e.state, version = t.version + 1, reason = e.reason, result = e.result::jsonb, seen_at = null,
         progress = case when e.state = 'completed' then 1 else t.progress end,
         ended_at = case when e.state = 'waiting' then null else now() end
    from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[]) as e (id, attempt, state, reason, result)
   where t.id = e.id and t.attempts <= e.attempt`;

/** How far runs have come ($1 ids, $2 fractions). */
export const TASKS_PROGRESS = `
  update queues.task t set progress = p.progress, version = t.version + 1
    from unnest($1::uuid[], $2::real[]) as p (id, progress) where t.id = p.id and t.state = 'running'`;

/** Lines ($1 task ids, $2 places, $3 texts). Those of a task that is gone go nowhere. */
export const TASKS_LOG = `
  insert into queues.task_log (tenant_id, task_id, seq, text)
  select t.tenant_id, t.id, l.seq, l.text
    from unnest($1::uuid[], $2::int[], $3::text[]) as l (task_id, seq, text) join queues.task t on t.id = l.task_id
  on conflict (task_id, seq) do nothing`;

/** Which of the tasks $1, which this process runs, are to be canceled; notes that it still runs them, twice a minute. */
export const TASKS_WATCH = `
  with seen as (
    update queues.task set seen_at = now()
     where id = any($1::uuid[]) and state = 'running' and seen_at < now() - interval '30 seconds')
  select id from queues.task where id = any($1::uuid[]) and cancel_at is not null and state = 'running'`;

/** What followed tasks have come to. */
export const TASKS_VERSIONS = `
  select t.id, t.version, coalesce((select max(l.seq) from queues.task_log l where l.task_id = t.id), 0) as seq
    from queues.task t where t.id = any($1::uuid[])`;

export async function taskList(
  scope: TenantScope,
  filter: { state: string | undefined; job: string | undefined; actor: string | undefined },
  limit: number,
  from: Cursor | undefined,
): Promise<Page<TaskRow>> {
  const rows = await tenantQuery<TaskRow>(
    scope,
    `select ${COLUMNS} from queues.task
      where tenant_id = $1 and ${beforeCursor("created_at", "id", 2)}
        and ($4::text is null or state = $4) and ($5::text is null or job = $5)
        and ($6::text is null or actor = $6)
      order by created_at desc, id desc limit $7`,
    [scope.tenantId, ...cursorParams(from), filter.state ?? null, filter.job ?? null, filter.actor ?? null, limit + 1],
  );
  return pageOf(rows, limit);
}

export async function taskFind(scope: TenantScope, id: string): Promise<TaskRow | undefined> {
  return (
    await tenantQuery<TaskRow>(scope, `select ${COLUMNS} from queues.task where tenant_id = $1 and id = $2`, [
      scope.tenantId,
      id,
    ])
  )[0];
}

/** On whose behalf it runs; undefined when the tenant has no such task. */
export async function taskActor(scope: TenantScope, id: string): Promise<string | undefined> {
  const sql = "select actor from queues.task where tenant_id = $1 and id = $2";
  return (await tenantQuery<{ actor: string }>(scope, sql, [scope.tenantId, id]))[0]?.actor;
}

/** Lines behind `seq`, in order. */
export function taskLogList(scope: TenantScope, id: string, seq: number, limit: number): Promise<LogRow[]> {
  return tenantQuery<LogRow>(
    scope,
    "select seq, at, text from queues.task_log where tenant_id = $1 and task_id = $2 and seq > $3 order by seq limit $4",
    [scope.tenantId, id, seq, limit],
  );
}

/** Asks for the end of a task that has not ended; one that nobody runs ends here. Undefined when it has ended, or is none. */
export async function taskCancel(tx: Tx, tenantId: string, id: string): Promise<TaskRow | undefined> {
  const [row] = await tx.query<TaskRow>(
    `update queues.task set cancel_at = coalesce(cancel_at, now()), version = version + 1,
            state = case when state = 'waiting' then 'canceled' else state end,
            ended_at = case when state = 'waiting' then now() end
      where tenant_id = $1 and id = $2 and ended_at is null returning ${COLUMNS}`,
    [tenantId, id],
  );
  return row;
}

/** Ends tasks whose process was not heard of for an hour: BullMQ has given them to another or buried them long since. */
export function taskEndLost(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `update queues.task set state = 'failed', reason = 'lost', ended_at = now(), version = version + 1
      where id = any(array(select id from queues.task
        where ended_at is null and state = 'running' and created_at < now() - interval '1 hour' and seen_at < now() - interval '1 hour'
        order by created_at limit $1 for update skip locked))`,
    [limit],
  );
}

/** Deletes tasks that ended `days` ago, the oldest first. */
export function taskPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from queues.task where id = any(array(
       select id from queues.task where ended_at < now() - $1 * interval '1 day'
        order by ended_at limit $2 for update skip locked))`,
    [days, limit],
  );
}

/** Deletes tasks of which nothing was heard for `days`: whoever ran them knew nothing of tasks. */
export function taskPurgeOpen(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from queues.task where id = any(array(
       select id from queues.task where ended_at is null and created_at < now() - $1 * interval '1 day'
        order by created_at limit $2 for update skip locked))`,
    [days, limit],
  );
}
