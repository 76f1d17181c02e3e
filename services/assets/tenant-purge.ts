// Removing all that assets holds of an organisation that is gone. First what names contents, then the bytes, and only then what
// is known of these: whatever is killed in between, the next attempt still knows what is left. Doing it again removes nothing more.
import { removeInTurn, type UpkeepBudget } from "../../db/upkeep";
import { withSystem, type Tx } from "../../db/tenant";
import type { TenantId } from "../../security/principal";
import { removeParts } from "./bucket";
import { filesDelete, storedDelete, storedOfTenant, usageDelete } from "./store/uploads";

const REASON = "purge-tenant-assets";
/** Less than the job's time. */
const PURGE_BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 480_000, batchMax: 1_000 };
const STORED_BATCH = 100;

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export async function purgeTenant(tenantId: TenantId, budget: UpkeepBudget = PURGE_BUDGET): Promise<boolean> {
  const endsAtMs = performance.now() + budget.totalMs;
  const removes = filesDelete.map((remove) => (tx: Tx, limit: number) => remove(tx, tenantId, limit));
  if (!(await removeInTurn(REASON, budget, removes))) return false;
  for (;;) {
    const stored = await withSystem(REASON, (tx) => storedOfTenant(tx, tenantId, STORED_BATCH));
    if (stored.length === 0) break;
    for (const { id, parts } of stored) await removeParts({ tenantId, id }, parts);
    const ids = stored.map(({ id }) => id);
    await withSystem(REASON, (tx) => storedDelete(tx, tenantId, ids));
    if (performance.now() > endsAtMs) return false;
  }
  await withSystem(REASON, (tx) => usageDelete(tx, tenantId, 1));
  return true;
}
