// Removing embeddings whose texts are in no document any more. They are kept for a day: a document that is
// edited back finds them again.
import { removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { orphanSettle } from "./store/orphans";

const KEEP_MS = 86_400_000;
/** A run an hour; five minutes of it at most. */
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 300_000, batchMax: 500 };

/** Resolves with the number of candidates settled; what `budget` does not reach is left to the next run. */
export async function purgeOrphans(now: Date, budget: UpkeepBudget = BUDGET): Promise<number> {
  const before = new Date(now.getTime() - KEEP_MS);
  return removeInBatches("purge-orphaned-embeddings", budget, (tx, limit) => orphanSettle(tx, before, limit));
}
