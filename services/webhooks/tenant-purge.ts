// Removing all that webhooks hold of an organisation that is gone; its keys go with its other secrets. Doing it again removes nothing more.
import { removeInTurn, type UpkeepBudget } from "../../db/upkeep";
import type { TenantId } from "../../security/principal";
import { tenantDelete } from "./store/tenant";

/** Less than the job's time. */
const PURGE_BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 480_000, batchMax: 1_000 };

/** Removes what `tenantId` has, the time of the budget long; resolves with whether nothing is left. */
export const purgeTenant = (tenantId: TenantId, budget: UpkeepBudget = PURGE_BUDGET): Promise<boolean> =>
  removeInTurn(
    "purge-tenant-webhooks",
    budget,
    tenantDelete.map((remove) => (tx, limit) => remove(tx, tenantId, limit)),
  );
