// Removing all that webhooks hold of an organisation that is gone; its keys go with its other secrets.
import { purgeInTurn } from "../../db/tenant-purge";
import type { UpkeepBudget } from "../../db/upkeep";
import type { TenantId } from "../../security/principal";
import { tenantDelete } from "./store/tenant";

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export const purgeTenant = (tenantId: TenantId, budget?: UpkeepBudget): Promise<boolean> =>
  purgeInTurn("purge-tenant-webhooks", tenantId, tenantDelete, budget);
