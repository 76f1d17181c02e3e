// Removing embeddings whose texts are in no document any more. They are kept for a day: a document that is
// edited back finds them again.
import { DbError } from "../db/errors";
import { withSystem } from "../db/tenant";
import { embeddingDeleteOrphans } from "./store/documents";

const BATCH = 500;
const KEEP_MS = 86_400_000;

/** Resolves with the number removed. A batch that collides with an ingestion (foreign key) is left for the next day. */
export async function purgeOrphans(now: Date): Promise<number> {
  const before = new Date(now.getTime() - KEEP_MS);
  let removed = 0;
  for (;;) {
    try {
      const batch = await withSystem("purge-orphaned-embeddings", (tx) => embeddingDeleteOrphans(tx, before, BATCH));
      removed += batch;
      if (batch < BATCH) return removed;
    } catch (error) {
      if (error instanceof DbError && error.kind === "foreign_key_violation") return removed;
      throw error;
    }
  }
}
