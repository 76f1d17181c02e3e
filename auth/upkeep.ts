// Removing what nobody can use any more.
import { withSystem } from "../db/tenant";
import { sessionDeleteExpired } from "./store";

const BATCH = 1000;

/** Sessions stay a week past their end, for whoever asks what happened; then they go, in batches. */
const KEEP_EXPIRED_MS = 7 * 86_400_000;

/** Resolves with the number of sessions removed. */
export async function purgeSessions(now: Date): Promise<number> {
  const before = new Date(now.getTime() - KEEP_EXPIRED_MS);
  let removed = 0;
  for (;;) {
    const batch = await withSystem("purge-expired-sessions", (tx) => sessionDeleteExpired(tx, before, BATCH));
    removed += batch;
    if (batch < BATCH) return removed;
  }
}
