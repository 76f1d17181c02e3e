// Removing what notifications hold of an organisation that is gone, or of somebody who is no member any more. Doing it again
// removes nothing more.
import { removeInTurn, type UpkeepBudget } from "../../db/upkeep";
import type { TenantId } from "../../security/principal";
import { memberDelete, tenantDelete } from "./store/export";

/** Less than the job's time. */
const PURGE_BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 480_000, batchMax: 1_000 };

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export const purgeTenant = (tenantId: TenantId, budget: UpkeepBudget = PURGE_BUDGET): Promise<boolean> =>
  removeInTurn(
    "purge-tenant-notifications",
    budget,
    tenantDelete.map((remove) => (tx, limit) => remove(tx, tenantId, limit)),
  );

/** The same of one person in one organisation. */
export const purgeMember = (
  tenantId: TenantId,
  userId: string,
  budget: UpkeepBudget = PURGE_BUDGET,
): Promise<boolean> =>
  removeInTurn(
    "purge-member-notifications",
    budget,
    memberDelete.map((remove) => (tx, limit) => remove(tx, { tenantId, userId }, limit)),
  );
