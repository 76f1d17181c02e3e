// Fairness between tenants. BullMQ's open edition has no groups but has priorities (lower first), so a job's
// priority is its start tag in virtual time: a tenant's jobs take consecutive tags, and a tenant that was
// quiet starts at the tag now being served. Ten thousand jobs of one tenant then delay another's first job
// by one job, not by ten thousand. When a queue runs empty its clock starts again at zero.
// Source: Goyal, Vin, Cheng, "Start-time Fair Queuing" (SIGCOMM 1996), every job of cost 1.
import { withSystem } from "../db/tenant";
import type { BullQueue } from "./bull";
import { turnAdvance, turnReset } from "./store/tenant-turn";

/** BullMQ's highest. */
const MAX_PRIORITY = 2_097_151;
/** Turn of the jobs that belong to no tenant. */
const NO_TENANT = "00000000-0000-0000-0000-000000000000";

/** One priority for each of `tenantIds`, the tenants of new jobs in their order. */
export async function takeTurns(queue: BullQueue, tenantIds: readonly (string | null)[]): Promise<number[]> {
  const [head] = await queue.getJobs(["prioritized"], 0, 0, true);
  const tags = await withSystem("queue-turns", async (tx) => {
    if (!head) await turnReset(tx, queue.name);
    return turnAdvance(tx, queue.name, Math.max(0, (head?.priority ?? 1) - 1), countByTenant(tenantIds));
  });
  return startTags(tenantIds, new Map(tags.map((turn) => [turn.tenantId, turn.finishTag])));
}

function countByTenant(tenantIds: readonly (string | null)[]): { tenantId: string; jobs: number }[] {
  const counts = new Map<string, number>();
  for (const id of tenantIds) counts.set(id ?? NO_TENANT, (counts.get(id ?? NO_TENANT) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([tenantId, jobs]) => ({ tenantId, jobs }));
}

/** The tags up to and including a tenant's finish tag, given to its jobs in order. */
function startTags(tenantIds: readonly (string | null)[], finishTags: ReadonlyMap<string, number>): number[] {
  const next = new Map(
    countByTenant(tenantIds).map(({ tenantId, jobs }) => [tenantId, (finishTags.get(tenantId) ?? jobs) - jobs + 1]),
  );
  return tenantIds.map((id) => {
    const tag = next.get(id ?? NO_TENANT) ?? 1;
    next.set(id ?? NO_TENANT, tag + 1);
    return Math.min(Math.max(tag, 1), MAX_PRIORITY);
  });
}
