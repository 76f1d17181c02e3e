// Removing what was uploaded and never committed: its process was killed in between. The rows go in a transaction with the jobs
// that remove the bytes.
import { withSystem } from "../../db/tenant";
import { enqueue } from "../../queues/enqueue";
import { tenantIdFrom } from "../../security/principal";
import { removeJob } from "./jobs";
import { uploadDeleteOld } from "./store/uploads";

/** No upload takes that long. */
const ABANDONED_MS = 86_400_000;
const BATCH = 100;

/** Resolves with how many were ended. */
export async function purgeAbandoned(now: Date): Promise<number> {
  const before = new Date(now.getTime() - ABANDONED_MS);
  for (let ended = 0; ;) {
    const batch = await withSystem("purge-abandoned-uploads", async (tx) => {
      const abandoned = await uploadDeleteOld(tx, before, BATCH);
      for (const { id, tenantId, parts } of abandoned)
        await enqueue(tx, removeJob, { stored: [{ id, parts }] }, { tenantId: tenantIdFrom(tenantId) });
      return abandoned.length;
    });
    ended += batch;
    if (batch < BATCH) return ended;
  }
}
