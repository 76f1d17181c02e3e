// Statements on queues.tenant_turn: where each tenant's last job of a queue stands on the queue's clock.
import type { Tx } from "../../db/tenant";

export interface Turn {
  tenantId: string;
  finishTag: number;
}

/** Moves each tenant on by its number of jobs, from `base` or from where it stood, whichever is later. Pass tenants sorted: two relays then lock rows in one order. */
export function turnAdvance(
  tx: Tx,
  queue: string,
  base: number,
  tenants: readonly { tenantId: string; jobs: number }[],
): Promise<Turn[]> {
  return tx.query<Turn>(
    `insert into queues.tenant_turn (tenant_id, queue, finish_tag)
     select t.tenant_id, $1, $2::bigint + t.jobs from unnest($3::uuid[], $4::int[]) as t(tenant_id, jobs)
     on conflict (tenant_id, queue) do update
        set finish_tag = greatest(tenant_turn.finish_tag, $2::bigint) + excluded.finish_tag - $2::bigint, updated_at = now()
     returning tenant_id as "tenantId", finish_tag as "finishTag"`,
    [queue, base, tenants.map((t) => t.tenantId), tenants.map((t) => t.jobs)],
  );
}

/** Sets the queue's clock back to zero for everybody: right when nothing waits in it. */
export async function turnReset(tx: Tx, queue: string): Promise<void> {
  await tx.execute("delete from queues.tenant_turn where queue = $1", [queue]);
}
