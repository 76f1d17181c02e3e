// Removing all that assets holds of an organisation that is gone. First what names contents, then the bytes, and only then what
// is known of these: whatever is killed in between, the next attempt still knows what is left. Doing it again removes nothing more.
import { withSystem } from "../../db/tenant";
import { purgeInTurn, TENANT_PURGE_BUDGET } from "../../db/tenant-purge";
import type { UpkeepBudget } from "../../db/upkeep";
import type { TenantId } from "../../security/principal";
import { removeParts } from "./bucket";
import { filesDelete, storedDelete, storedOfTenant, usageDelete } from "./store/uploads";

const REASON = "purge-tenant-assets";
const STORED_BATCH = 100;

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export async function purgeTenant(tenantId: TenantId, budget: UpkeepBudget = TENANT_PURGE_BUDGET): Promise<boolean> {
  const endsAtMs = performance.now() + budget.totalMs;
  if (!(await purgeInTurn(REASON, tenantId, filesDelete, budget))) return false;
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
