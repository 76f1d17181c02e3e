// Removing all that records hold of an organisation that is gone.
import { purgeInTurn } from "../../db/tenant-purge";
import type { UpkeepBudget } from "../../db/upkeep";
import type { TenantId } from "../../security/principal";
import { tenantDelete } from "./store/export";

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export const purgeTenant = (tenantId: TenantId, budget?: UpkeepBudget): Promise<boolean> =>
  purgeInTurn("purge-tenant-records", tenantId, tenantDelete, budget);
