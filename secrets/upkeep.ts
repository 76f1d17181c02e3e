// Data keys move under the present master key, so that an earlier one can be thrown away; those that sealed nothing any
// more go.
import { removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { withSystem } from "../db/tenant";
import { EnvelopeError } from "../security/envelope";
import { logger } from "../telemetry/logger";
import { tenantKeyListSealedByOthers, tenantKeyPurge, tenantKeyReseal } from "./store";
import { masterKeys, rewrapped } from "./tenant-keys";

const BATCH = 500;
/** Longer than a request's: a batch may read all keys to find none, and nobody waits for it. */
const STATEMENT_TIMEOUT_MS = 30_000;
const BEFORE_ALL = "00000000-0000-0000-0000-000000000000";
const BUDGET: UpkeepBudget = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, totalMs: 120_000, batchMax: 1_000 };

/** Resolves with how many data keys were sealed again. What no master key opens stays, and is told of once a run. */
export async function rewrapTenantKeys(): Promise<number> {
  const counts = { resealed: 0, unopened: 0 };
  for (let after: string | undefined = BEFORE_ALL; after !== undefined;) after = await rewrapBatch(after, counts);
  if (counts.unopened > 0)
    logger("secrets").error(
      { keys: counts.unopened },
      "data keys of tenants do not open: put the master key that sealed them back",
    );
  return counts.resealed;
}

type Counts = { resealed: number; unopened: number };

/** Resolves with the key to go on behind; undefined when there is none. */
function rewrapBatch(after: string, counts: Counts): Promise<string | undefined> {
  return withSystem(
    "rewrap-tenant-keys",
    async (tx) => {
      const rows = await tenantKeyListSealedByOthers(tx, { keyId: masterKeys()[0].id, after, limit: BATCH });
      for (const row of rows) {
        try {
          const sealed = rewrapped(row);
          if (sealed !== undefined) await tenantKeyReseal(tx, row.id, sealed);
          counts.resealed++;
        } catch (error) {
          if (!(error instanceof EnvelopeError)) throw error;
          counts.unopened++;
        }
      }
      return rows.length === BATCH ? rows.at(-1)?.id : undefined;
    },
    { statementTimeoutMs: STATEMENT_TIMEOUT_MS },
  );
}

export const purgeTenantKeys = (): Promise<number> => removeInBatches("purge-tenant-keys", BUDGET, tenantKeyPurge);
