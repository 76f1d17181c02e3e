// The mailbox forgets mails after a week.
import { removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { messagePurge } from "./store";

const KEEP_MS = 7 * 86_400_000;
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 300_000, batchMax: 1_000 };

/** Resolves with the number of mails that went. */
export function purgeMailbox(now: Date, budget: UpkeepBudget = BUDGET): Promise<number> {
  const before = new Date(now.getTime() - KEEP_MS);
  return removeInBatches("mailbox-purge", budget, (tx, limit) => messagePurge(tx, before, limit));
}
