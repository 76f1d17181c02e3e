// Removing embeddings whose texts are in no document any more. They are kept for a day: a document that is
// edited back finds them again. And giving up documents whose job is lost, which would be pending for ever.
import type { Tx } from "../db/tenant";
import { removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { tenantIdFrom } from "../security/principal";
import { failDocument } from "./embedding";
import { PENDING_MAX_MS } from "./ingestion";
import { orphanSettle } from "./store/orphans";
import { documentListLostForUpdate } from "./store/states";

const KEEP_MS = 86_400_000;
/** A run an hour; five minutes of it at most. */
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 300_000, batchMax: 500 };

/** Resolves with the number of candidates settled; what `budget` does not reach is left to the next run. */
export async function purgeOrphans(now: Date, budget: UpkeepBudget = BUDGET): Promise<number> {
  const before = new Date(now.getTime() - KEEP_MS);
  return removeInBatches("purge-orphaned-embeddings", budget, (tx, limit) => orphanSettle(tx, before, limit));
}

/** An event for each: fewer at a time than what is only removed. */
const LOST_BUDGET: UpkeepBudget = { ...BUDGET, batchMax: 100 };

/**
 * Marks documents failed that have been pending for longer than all attempts of a job take; resolves with how many. Whose job
 * comes after all is ready then as any other. Sending the document again tries anew.
 */
export async function failLostDocuments(now: Date, budget: UpkeepBudget = LOST_BUDGET): Promise<number> {
  const before = new Date(now.getTime() - PENDING_MAX_MS);
  return removeInBatches("fail-lost-documents", budget, (tx, limit) => failLost(tx, before, limit));
}

async function failLost(tx: Tx, before: Date, limit: number): Promise<number> {
  const lost = await documentListLostForUpdate(tx, before, limit);
  for (const { id, tenantId, version } of lost)
    await failDocument(tx, { tenantId: tenantIdFrom(tenantId), id, version, reason: "job_lost" });
  return lost.length;
}
