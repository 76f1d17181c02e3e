// Removing what notifications hold of an organisation that is gone, or of somebody who is no member any more.
import { purgeInTurn } from "../../db/tenant-purge";
import type { UpkeepBudget } from "../../db/upkeep";
import type { TenantId } from "../../security/principal";
import { memberDelete, tenantDelete } from "./store/export";

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export const purgeTenant = (tenantId: TenantId, budget?: UpkeepBudget): Promise<boolean> =>
  purgeInTurn("purge-tenant-notifications", tenantId, tenantDelete, budget);

/** The same of one person in one organisation. */
export const purgeMember = (tenantId: TenantId, userId: string, budget?: UpkeepBudget): Promise<boolean> =>
  purgeInTurn("purge-member-notifications", { tenantId, userId }, memberDelete, budget);
