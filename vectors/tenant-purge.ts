// Removing all that vectors holds of an organisation that is gone. In batches, each a short transaction of its own, within
// a budget of time; what it does not reach is left to the job's next attempt. Doing it again removes nothing more.
import { removeInBatches, type UpkeepBudget } from "../db/upkeep";
import type { TenantId } from "../security/principal";
import { tenantDelete } from "./store/tenant";

/** Less than the job's time. */
export const PURGE_BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 480_000, batchMax: 1_000 };

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export async function purgeTenant(tenantId: TenantId, budget: UpkeepBudget = PURGE_BUDGET): Promise<boolean> {
  const endsAtMs = performance.now() + budget.totalMs;
  for (const remove of tenantDelete) {
    const totalMs = Math.max(0, endsAtMs - performance.now());
    await removeInBatches("purge-tenant-documents", { ...budget, totalMs }, (tx, limit) => remove(tx, tenantId, limit));
    if (performance.now() > endsAtMs) return false;
  }
  return true;
}
