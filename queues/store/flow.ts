// Statements on queues.flow and queues.flow_child.
import type { Tx } from "../../db/tenant";
import type { TenantId } from "../../security/principal";

export interface FlowRow {
  id: string;
  tenantId: TenantId | null;
  job: string;
  payload: unknown;
  headers: Record<string, string>;
}

export interface ChildEnd {
  state: "completed" | "failed" | "canceled";
  /** JSON. */
  result: string | null;
  reason: string | null;
}

export interface EndedChild {
  id: string;
  job: string;
  state: ChildEnd["state"];
  result: unknown;
  reason: string | null;
}

/** Keeps a flow of `pending` children, and makes its task; false when there is one of this id already. */
export async function flowInsert(tx: Tx, flow: FlowRow, pending: number): Promise<boolean> {
  const rows = await tx.execute(
    `with made as (
       insert into queues.flow (id, tenant_id, job, payload, headers, pending)
       values ($1, $2, $3, $4::jsonb, $5::jsonb, $6) on conflict (id) do nothing returning id, tenant_id, job, headers)
     insert into queues.task (id, tenant_id, job, actor, state)
     select id, tenant_id, job, coalesce(headers ->> 'actor', 'system'), 'waiting' from made`,
    [flow.id, flow.tenantId, flow.job, JSON.stringify(flow.payload ?? null), JSON.stringify(flow.headers), pending],
  );
  return rows > 0;
}

export async function flowChildrenInsert(
  tx: Tx,
  flow: FlowRow,
  children: readonly { id: string; job: string }[],
): Promise<void> {
  await tx.execute(
    `insert into queues.flow_child (id, tenant_id, flow_id, place, job)
     select c.id, $1, $2, c.place, c.job from unnest($3::uuid[], $4::text[]) with ordinality as c (id, job, place)`,
    [flow.tenantId, flow.id, children.map(({ id }) => id), children.map(({ job }) => job)],
  );
}

/**
 * Notes how a child ended: the first time, or that one that had failed has completed after all. Resolves with its flow's id the
 * first time.
 */
export async function flowChildEnd(
  tx: Tx,
  tenantId: TenantId | null,
  childId: string,
  end: ChildEnd,
): Promise<string | undefined> {
  const [row] = await tx.query<{ flowId: string; isFirst: boolean }>(
    `update queues.flow_child c set state = $3, result = $4::jsonb, reason = $5
       from (select id, state from queues.flow_child where tenant_id is not distinct from $1 and id = $2 for update) was
      where c.id = was.id and (was.state = 'waiting' or was.state <> 'completed' and $3 = 'completed')
     returning c.flow_id as "flowId", was.state = 'waiting' as "isFirst"`,
    [tenantId, childId, end.state, end.result, end.reason],
  );
  return row?.isFirst === true ? row.flowId : undefined;
}

/** One child less; resolves with the flow when that releases it: it was the last one, or has failed. */
export async function flowCountDown(
  tx: Tx,
  tenantId: TenantId | null,
  flowId: string,
  isFailed: boolean,
): Promise<FlowRow | undefined> {
  const [row] = await tx.query<FlowRow & { isReleased: boolean }>(
    `update queues.flow set pending = pending - 1, released_at = case when $3 or pending = 1 then now() end
      where tenant_id is not distinct from $1 and id = $2 and released_at is null
     returning id, tenant_id as "tenantId", job, payload, headers, released_at is not null as "isReleased"`,
    [tenantId, flowId, isFailed],
  );
  return row?.isReleased === true ? row : undefined;
}

/** Releases a flow whose children have not all ended; undefined when there is none. */
export async function flowRelease(tx: Tx, tenantId: TenantId | null, flowId: string): Promise<FlowRow | undefined> {
  const [row] = await tx.query<FlowRow>(
    `update queues.flow set released_at = now()
      where tenant_id is not distinct from $1 and id = $2 and released_at is null
     returning id, tenant_id as "tenantId", job, payload, headers`,
    [tenantId, flowId],
  );
  return row;
}

/** How the children of a flow have ended, in their order. */
export function flowChildren(tx: Tx, tenantId: TenantId | null, flowId: string): Promise<EndedChild[]> {
  return tx.query<EndedChild>(
    `select id, job, state, result, reason from queues.flow_child
      where tenant_id is not distinct from $1 and flow_id = $2 and state <> 'waiting' order by place limit 1000`,
    [tenantId, flowId],
  );
}

/** Which of the tasks $1 are flows that wait for their children. */
export const FLOWS_WAITING = "select id from queues.flow where id = any($1::uuid[]) and released_at is null";

/** Children behind the id $1 whose tasks have ended ten minutes ago and whose flows have not heard of it, in the order of their ids ($2 at most). */
export const FLOWS_UNTOLD = `
  select c.id, c.tenant_id as "tenantId", t.state, t.result::text as result, t.reason
    from queues.flow_child c join queues.task t on t.id = c.id
   where c.state = 'waiting' and c.id > $1 and t.ended_at < now() - interval '10 minutes' order by c.id limit $2`;

/** Deletes flows, and their children, that were released `days` ago. */
export function flowPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from queues.flow where id in (
       select id from queues.flow where released_at < now() - $1 * interval '1 day' order by released_at limit $2 for update skip locked)`,
    [days, limit],
  );
}
