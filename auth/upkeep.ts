// Removing what nobody can use any more: in batches, each a short transaction of its own, so that nobody waits for
// upkeep and what is done stays done. A batch that takes too long is tried again at half its size.
import { DbError } from "../db/errors";
import { withSystem, type Tx } from "../db/tenant";
import { sessionDeleteEnded, signingKeyDeleteEnded } from "./store";

/** What has ended stays a week, for whoever asks what happened. */
const KEEP_DAYS = 7;
const BATCH_MAX = 1000;
const BATCH_MIN = 10;

interface Budget {
  /** For each statement: longer than a request's, because nobody waits for it. */
  statementTimeoutMs: number;
  /** For the whole run; the next one goes on where it stopped. */
  totalMs: number;
}

const BUDGET: Budget = { statementTimeoutMs: 30_000, totalMs: 10 * 60_000 };

export interface Purged {
  sessions: number;
  signingKeys: number;
}

/** Resolves with what was removed. @throws DbError when even a small batch cannot be removed. */
export async function purgeEnded(budget: Budget = BUDGET): Promise<Purged> {
  const sessions = await purge("purge-ended-sessions", budget, (tx, limit) => sessionDeleteEnded(tx, KEEP_DAYS, limit));
  const signingKeys = await purge("purge-ended-signing-keys", budget, (tx, limit) =>
    signingKeyDeleteEnded(tx, KEEP_DAYS, limit),
  );
  return { sessions, signingKeys };
}

async function purge(
  reason: string,
  { statementTimeoutMs, totalMs }: Budget,
  remove: (tx: Tx, limit: number) => Promise<number>,
): Promise<number> {
  const endsAtMs = performance.now() + totalMs;
  let removed = 0;
  for (let limit = BATCH_MAX; ;) {
    const batch = await withSystem(reason, (tx) => remove(tx, limit), { statementTimeoutMs }).catch((error: unknown) =>
      tookTooLong(error) && limit > BATCH_MIN ? undefined : Promise.reject(error as Error),
    );
    removed += batch ?? 0;
    if (batch !== undefined && batch < limit) return removed;
    if (batch === undefined) limit = Math.max(BATCH_MIN, Math.floor(limit / 2));
    if (performance.now() > endsAtMs) return removed;
  }
}

const tookTooLong = (error: unknown): boolean => error instanceof DbError && error.kind === "statement_timeout";
