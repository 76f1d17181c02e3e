// What nobody drives on is found by the database's own record, whatever became of its job; and what ended long ago goes.
import { withSystem } from "../db/tenant";
import { purgeInTurn } from "../db/tenant-purge";
import { removeEach, removeInBatches } from "../db/upkeep";
import { enqueue } from "../queues/enqueue";
import type { TenantId } from "../security/principal";
import { jobOf } from "./job";
import { sagaPurge, sagaPurgeOpen, sagaPurgeTenant, sagaTakeOverdue } from "./store/upkeep";
import { onBehalfOfStarter } from "./turn";

/** Longer than a job needs to come, or to be taken from a worker that died. */
const GRACE_MS = 30_000;
const BATCH = 200;
const KEEP_DAYS = 30;
/** Of those that never ended: a person may take long. */
const KEEP_OPEN_DAYS = 400;
const UPKEEP = { statementTimeoutMs: 60_000, totalMs: 5 * 60_000, batchMax: 2_000 };

/** Enqueues a drive for sagas of these definitions that are overdue; resolves with how many. */
export function driveOverdue(
  known: readonly { name: string; version: number }[],
  graceMs: number = GRACE_MS,
): Promise<number> {
  return withSystem("sagas-overdue", async (tx) => {
    const overdue = await sagaTakeOverdue(tx, known, graceMs, BATCH);
    for (const row of overdue)
      await onBehalfOfStarter(row, () => enqueue(tx, jobOf(row), { sagaId: row.id }, { tenantId: row.tenantId }));
    return overdue.length;
  });
}

/** Resolves with how many sagas are no longer kept. */
export async function purgeSagas(): Promise<number> {
  const { open, over } = await removeEach({
    open: () => removeInBatches("saga-purge", UPKEEP, (tx, limit) => sagaPurgeOpen(tx, KEEP_OPEN_DAYS, limit)),
    over: () => removeInBatches("saga-purge", UPKEEP, (tx, limit) => sagaPurge(tx, KEEP_DAYS, limit)),
  });
  return open + over;
}

/** Removes what `tenantId` has, within a budget of time; resolves with whether nothing is left. */
export const purgeTenantSagas = (tenantId: TenantId): Promise<boolean> =>
  purgeInTurn("purge-tenant-sagas", tenantId, [sagaPurgeTenant]);
