// What nobody settles, and what is past its time.
import { withSystem } from "../../db/tenant";
import { purgeInTurn } from "../../db/tenant-purge";
import { removeInBatches, type UpkeepBudget } from "../../db/upkeep";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { logger } from "../../telemetry/logger";
import { expire } from "./ledger";
import { reservationListExpired, spendingPurge, usagePurge, type ExpiredRow } from "./store/ledger";
import { tenantDelete } from "./store/tenant";

const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 120_000, batchMax: 1_000 };
/** A year, and the months before and after. */
export const SPENDING_KEEP_DAYS = 430;
export const USAGE_KEEP_DAYS = 400;
const EXPIRED_BATCH = 500;
const EXPIRE_MS = 60_000;

/**
 * Counts reservations of processes that died as spent; resolves with how many. Each in a transaction of its own, and one that
 * fails keeps none of those behind it from their turn: the next run tries it again.
 */
export async function expireReservations(): Promise<number> {
  const endsAtMs = performance.now() + EXPIRE_MS;
  let expired = 0;
  let last: ExpiredRow | undefined;
  for (;;) {
    const after = last;
    const rows = await withSystem("expire-ai-reservations", (tx) => reservationListExpired(tx, EXPIRED_BATCH, after));
    for (const row of rows) if (await isExpiredNow(row)) expired++;
    last = rows.at(-1);
    if (rows.length < EXPIRED_BATCH || performance.now() > endsAtMs) return expired;
  }
}

async function isExpiredNow({ id, tenantId }: ExpiredRow): Promise<boolean> {
  try {
    return await expire({ tenantId: tenantIdFrom(tenantId) }, id);
  } catch (err) {
    logger("ai").error({ err, reservation: id }, "a reservation did not expire: what it holds stays reserved");
    return false;
  }
}

export const purgeSpending = (): Promise<number> =>
  removeInBatches("purge-ai-usage", BUDGET, (tx, limit) => spendingPurge(tx, SPENDING_KEEP_DAYS, limit));
export const purgeUsage = (): Promise<number> =>
  removeInBatches("purge-ai-usage", BUDGET, (tx, limit) => usagePurge(tx, USAGE_KEEP_DAYS, limit));

/** Removes what an organisation has, within a budget of time; resolves with whether nothing is left. */
export const purgeTenant = (tenantId: TenantId): Promise<boolean> =>
  purgeInTurn("purge-tenant-ai", tenantId, tenantDelete);
