// Statements on queues.tenant_turn: a queue's clock, and where the last job of each tenant stands on it.
import type { Tx } from "../../db/tenant";

export interface Turn {
  tenantId: string;
  finishTag: number;
  /** Tags of one of its jobs. */
  cost: number;
}

/** A tenant whose jobs take longer than that many times another's has some of its time. */
const COST_MAX = 16;

/** Whose row is the queue's clock: no tenant's. */
const CLOCK = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/**
 * Moves the queue's clock to `head`, or on to where the last of its tenants stands when nothing waits (`head` null), never
 * back; resolves with where it stands then. Locks the queue's turns until the end of the transaction.
 */
export async function clockAdvance(tx: Tx, queue: string, head: number | null): Promise<number> {
  const rows = await tx.query<{ now: number }>(
    `insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, $3)
     on conflict (tenant_id, queue) do update set updated_at = now(), finish_tag = greatest(
       tenant_turn.finish_tag, excluded.finish_tag,
       case when $4 then (select max(t.finish_tag) from queues.tenant_turn t where t.queue = excluded.queue) end)
     returning finish_tag as now`,
    [CLOCK, queue, head ?? 0, head === null],
  );
  return rows[0]?.now ?? 0;
}

/**
 * Moves each tenant on by its number of jobs, each at its cost, from `now` or from where it stood, whichever is later: 1 for
 * the tenant of the queue whose runs take the least, and for others by how much longer theirs take. Call clockAdvance first.
 */
export function turnAdvance(
  tx: Tx,
  queue: string,
  now: number,
  tenants: readonly { tenantId: string; jobs: number }[],
): Promise<Turn[]> {
  return tx.query<Turn>(
    `with least as (
       select greatest(1, min(run_ms)) as ms from queues.tenant_turn where queue = $1),
     costs as (
       select t.tenant_id, t.jobs, coalesce(least($5::int, greatest(1, round(o.run_ms / least.ms))), 1)::int as cost
         from unnest($3::uuid[], $4::int[]) as t (tenant_id, jobs) cross join least
         left join queues.tenant_turn o on o.tenant_id = t.tenant_id and o.queue = $1),
     advanced as (
       insert into queues.tenant_turn (tenant_id, queue, finish_tag)
       select tenant_id, $1, $2::bigint + jobs * cost from costs
       on conflict (tenant_id, queue) do update
          set finish_tag = greatest(tenant_turn.finish_tag, $2::bigint) + excluded.finish_tag - $2::bigint, updated_at = now()
       returning tenant_id, finish_tag)
     select a.tenant_id as "tenantId", a.finish_tag as "finishTag", c.cost from advanced a join costs c using (tenant_id)`,
    [queue, now, tenants.map((t) => t.tenantId), tenants.map((t) => t.jobs), COST_MAX],
  );
}

/** How long runs took ($1 tenants, $2 queues, $3 milliseconds), of tenants that have turns. One that is just given some waits for the next time. */
export const TURNS_TIME = `
  with told as (
    select t.tenant_id, t.queue, r.ms from unnest($1::uuid[], $2::text[], $3::float8[]) as r (tenant_id, queue, ms)
      join queues.tenant_turn t using (tenant_id, queue) for update of t skip locked)
  update queues.tenant_turn t set run_ms = coalesce(t.run_ms * 0.7 + told.ms * 0.3, told.ms)
    from told where t.tenant_id = told.tenant_id and t.queue = told.queue`;

/** Forgets tenants that the clock has passed, at most `limit`: they begin at the clock, as if they had never been here. */
export function turnForget(tx: Tx, queue: string, now: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from queues.tenant_turn where queue = $1 and tenant_id in (
       select tenant_id from queues.tenant_turn where queue = $1 and finish_tag <= $2 and tenant_id <> $3
        order by finish_tag limit $4)`,
    [queue, now, CLOCK, limit],
  );
}

/** Sets the queue's clock back to zero for everybody. */
export async function turnReset(tx: Tx, queue: string): Promise<void> {
  await tx.execute("delete from queues.tenant_turn where queue = $1", [queue]);
}
