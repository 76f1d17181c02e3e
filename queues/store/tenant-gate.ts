// Statements on queues.tenant_gate and queues.tenant_run, whose rules stand in functions of the database (migrations 46 and 85): what
// one asks must be answered before the next of the tenant asks.
import type { Tx } from "../../db/tenant";

/**
 * Whether a run may begin ($1 tenant, $2 queue, $3 job, $4 and $5 rate, $6 runs at once, $7 milliseconds that it counts). A promise
 * beyond 24 days, where a 32-bit number ends, is asked for again by then. `early`: jobs that were put back for longer than they must wait
 * since the rate has changed; two at most, each told of once.
 */
export const TENANT_ADMIT = `select least(wait_ms, 2147483647)::int as "waitMs", refusals, early from queues.admit($1, $2, $3, $4, $5, $6, $7)`;

/** Ends a run ($1 tenant, $2 queue, $3 job, $4 runs at once, $5 whether the job is over); answers who may come in its place. */
export const TENANT_LEAVE = "select queues.leave($1, $2, $3, $4, $5) as called";

/** Whether a job that was refused has been called since ($1 queue, $2 job). */
export const TENANT_CALLED = "select 1 from queues.tenant_run where queue = $1 and job_id = $2 and state = 'called'";

/** Forgets tenants of which nothing has come for `days`; resolves with how many. */
export function tenantGatePurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from queues.tenant_gate where (tenant_id, queue) in (
       select g.tenant_id, g.queue from queues.tenant_gate g
        where greatest(g.last_at, g.next_at) < now() - $1 * interval '1 day'
          and not exists (select from queues.tenant_run r where r.tenant_id = g.tenant_id and r.queue = g.queue)
        limit $2 for update skip locked)`,
    [days, limit],
  );
}

/** Forgets what nobody has come back for since `days`; resolves with how many runs. */
export function tenantRunPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from queues.tenant_run where (queue, job_id) in (
       select queue, job_id from queues.tenant_run where at < now() - $1 * interval '1 day' order by at limit $2 for update skip locked)`,
    [days, limit],
  );
}
