// Data keys move under the present master key, so that an earlier one can be thrown away; those that sealed nothing any
// more go.
import { goThrough, removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { EnvelopeError } from "../security/envelope";
import { logger } from "../telemetry/logger";
import { tenantKeyListSealedByOthers, tenantKeyPurge, tenantKeyReseal, type TenantKeyRow } from "./store";
import { masterKeys, rewrapped } from "./tenant-keys";

const BATCH = 500;
/** Longer than a request's: a batch may read all keys to find none, and nobody waits for it. */
const STATEMENT_TIMEOUT_MS = 30_000;
const BUDGET: UpkeepBudget = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, totalMs: 120_000, batchMax: 1_000 };

/** Resolves with how many data keys were sealed again. What no master key opens stays, and is told of once a run. */
export async function rewrapTenantKeys(): Promise<number> {
  let resealedCount = 0;
  let unopened = 0;
  await goThrough("rewrap-tenant-keys", STATEMENT_TIMEOUT_MS, async (tx, after) => {
    const rows = await tenantKeyListSealedByOthers(tx, { keyId: masterKeys()[0].id, after, limit: BATCH });
    const resealed = rows.flatMap((row) => resealedRow(row) ?? []);
    resealedCount += await tenantKeyReseal(tx, resealed);
    unopened += rows.length - resealed.length;
    return rows.length === BATCH ? rows.at(-1)?.id : undefined;
  });
  if (unopened > 0)
    logger("secrets").error(
      { keys: unopened },
      "data keys of tenants do not open: put the master key that sealed them back",
    );
  return resealedCount;
}

function resealedRow(row: TenantKeyRow): TenantKeyRow | undefined {
  try {
    return { ...row, sealed: rewrapped(row) };
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    return undefined;
  }
}

export const purgeTenantKeys = (): Promise<number> => removeInBatches("purge-tenant-keys", BUDGET, tenantKeyPurge);
