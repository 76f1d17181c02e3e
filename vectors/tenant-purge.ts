// Removing all that vectors holds of an organisation that is gone. In batches, each a short transaction of its own, within
// a budget of time; what it does not reach is left to the job's next attempt. Doing it again removes nothing more.
import type { Tx } from "../db/tenant";
import { removeInTurn, type UpkeepBudget } from "../db/upkeep";
import type { TenantId } from "../security/principal";
import { tenantDelete } from "./store/tenant";

/** Less than the job's time. */
export const PURGE_BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 480_000, batchMax: 1_000 };

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export function purgeTenant(tenantId: TenantId, budget: UpkeepBudget = PURGE_BUDGET): Promise<boolean> {
  const removes = tenantDelete.map((remove) => (tx: Tx, limit: number) => remove(tx, tenantId, limit));
  return removeInTurn("purge-tenant-documents", budget, removes);
}
