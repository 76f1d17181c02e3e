// Statements on queues.task and queues.task_log.
import { beforeCursor, cursorMicros, cursorParams, pageOf, type Cursor, type Page } from "../../db/cursor";
import type { TenantScope, Tx } from "../../db/tenant";
import { uniformRead } from "../../db/uniform-read";
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
  /** Nobody cancels it. */
  isKept: boolean;
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

const COLUMNS = `id, job, state, version, attempts, progress, result, reason, is_kept as "isKept", cancel_at is not null as "isCanceling",
  created_at as "createdAt", started_at as "startedAt", ended_at as "endedAt", ${cursorMicros("created_at")} as "cursorMicros"`;

/**
 * Runs that began ($1 ids, $2 tenants, $3 jobs, $4 actors, $5 attempts, $6 milliseconds ago); answers those that are to be
 * canceled. A task that has ended stays so, and one of which a later attempt is known stays at that one. A run that nobody
 * has enqueued in a transaction gets its row now. In one order, against deadlocks.
 */
export const TASKS_BEGIN = `
  insert into queues.task as t (id, tenant_id, job, actor, state, attempts, started_at, seen_at)
  select id, tenant_id, job, actor, 'running', attempt, now() - ago * interval '1 millisecond', now()
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[]) as b (id, tenant_id, job, actor, attempt, ago) order by id
  on conflict (id) do update
     set state = 'running', version = t.version + 1, attempts = excluded.attempts, seen_at = now(),
         started_at = coalesce(t.started_at, excluded.started_at), progress = null, reason = null
   where t.ended_at is null and t.attempts <= excluded.attempts
  returning id, cancel_at is not null as "isCanceled"`;

/**
 * Runs that are over ($1 to $6 as above, $7 states, $8 reasons, $9 results as JSON). 'waiting' is one that will be tried
 * again. What has ended, and what a later attempt has come to, is left alone.
 */
export const TASKS_END = `
  insert into queues.task as t (id, tenant_id, job, actor, state, attempts, started_at, seen_at, reason, result, progress, ended_at)
  select id, tenant_id, job, actor, state, attempt, now() - ago * interval '1 millisecond', now(), reason, result::jsonb,
         case when state = 'completed' then 1 end, case when state <> 'waiting' then now() end
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[], $7::text[], $8::text[], $9::text[])
         as e (id, tenant_id, job, actor, attempt, ago, state, reason, result) order by id
  on conflict (id) do update
     set state = excluded.state, version = t.version + 1, attempts = excluded.attempts, seen_at = now(),
         started_at = coalesce(t.started_at, excluded.started_at), reason = excluded.reason, result = excluded.result,
         progress = coalesce(excluded.progress, t.progress), ended_at = excluded.ended_at
   where t.ended_at is null and t.attempts <= excluded.attempts`;

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
  const sql = uniformRead("select actor from queues.task where tenant_id = $1 and id = $2");
  return (await tenantQuery<{ value: string | null }>(scope, sql, [scope.tenantId, id]))[0]?.value ?? undefined;
}

/** Lines behind `seq`, in order. */
export function taskLogList(scope: TenantScope, id: string, seq: number, limit: number): Promise<LogRow[]> {
  return tenantQuery<LogRow>(
    scope,
    "select seq, at, text from queues.task_log where tenant_id = $1 and task_id = $2 and seq > $3 order by seq limit $4",
    [scope.tenantId, id, seq, limit],
  );
}

/** Asks for the end of a task that has not ended; from now on it is looked after, also before its time. Undefined when it has, is none or is kept. */
export async function taskCancel(tx: Tx, tenantId: string, id: string): Promise<TaskRow | undefined> {
  const [row] = await tx.query<TaskRow>(
    `update queues.task set cancel_at = coalesce(cancel_at, now()), version = version + 1, seen_at = least(seen_at, now())
      where tenant_id = $1 and id = $2 and ended_at is null and not is_kept returning ${COLUMNS}`,
    [tenantId, id],
  );
  return row;
}

/** Ends a task that was canceled before it ran. Undefined when it runs, or has ended. */
export async function taskCallOff(tx: Tx, tenantId: string, id: string): Promise<TaskRow | undefined> {
  const [row] = await tx.query<TaskRow>(
    `update queues.task set state = 'canceled', reason = 'canceled', ended_at = now(), version = version + 1
      where tenant_id = $1 and id = $2 and cancel_at is not null and state = 'waiting' and ended_at is null returning ${COLUMNS}`,
    [tenantId, id],
  );
  return row;
}

/** Which of the tasks $1 are to be canceled. */
export const TASKS_CANCELED = "select id from queues.task where id = any($1::uuid[]) and cancel_at is not null";

export interface StaleTask {
  id: string;
  job: string;
  version: number;
  isOld: boolean;
}

/** Open tasks of which nothing was heard for ten minutes, the longest first; each is looked at by one, and not again for as long. */
export function taskClaimStale(tx: Tx, oldDays: number, limit: number): Promise<StaleTask[]> {
  return tx.query<StaleTask>(
    `update queues.task set seen_at = now() where id = any(array(
       select id from queues.task where ended_at is null and coalesce(seen_at, created_at) < now() - interval '10 minutes'
        order by coalesce(seen_at, created_at) limit $2 for update skip locked))
     returning id, job, version, created_at < now() - $1 * interval '1 day' as "isOld"`,
    [oldDays, limit],
  );
}

/** Tasks $1, of the versions $2, wait until $3 (milliseconds since 1970): until ten minutes behind that nobody looks at them. */
export const TASKS_DEFER = `
  update queues.task t set seen_at = to_timestamp(d.due_ms / 1000)
    from unnest($1::uuid[], $2::int[], $3::float8[]) as d (id, version, due_ms)
   where t.id = d.id and t.version = d.version and t.state = 'waiting' and t.ended_at is null and to_timestamp(d.due_ms / 1000) > now()`;

/**
 * What became of tasks that nobody has told of ($1 ids, $2 versions that were seen, $3 states): of those that failed for good
 * the dead letter says why. One that was to be canceled and has no dead letter was: BullMQ has it as completed, or not at all.
 * Nothing is known of the others: `lost`.
 */
export const TASKS_HEAL = `
  update queues.task t set state = o.state, ended_at = now(), version = t.version + 1,
         progress = case when o.state = 'completed' then 1 else t.progress end,
         reason = case o.state when 'failed' then coalesce(o.letter, 'lost') when 'canceled' then 'canceled' end
    from (select h.id, h.version, l.reason as letter,
                 case when c.cancel_at is not null and (h.state = 'completed' or l.reason is null) then 'canceled' else h.state end as state
            from unnest($1::uuid[], $2::int[], $3::text[]) as h (id, version, state)
            join queues.task c on c.id = h.id
            left join queues.dead_letter l on l.queue = c.job and l.job_id = c.id::text) o
   where t.id = o.id and t.version = o.version and t.ended_at is null`;

/** Deletes tasks that ended `days` ago, the oldest first. */
export function taskPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from queues.task where id = any(array(
       select id from queues.task where ended_at < now() - $1 * interval '1 day'
        order by ended_at limit $2 for update skip locked))`,
    [days, limit],
  );
}
