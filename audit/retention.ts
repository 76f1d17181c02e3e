// How long entries are kept: AUDIT_KEEP_DAYS, never less than the 90 days that the table itself insists on.
import { cfg } from "../config";
import { removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { entryPurge } from "./store";

const DAY_MS = 86_400_000;
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 300_000, batchMax: 2_000 };

/** Resolves with the number of entries that went; what the budget does not reach is left to the next run. */
export function purgeAudit(now: Date, keepDays = cfg.audit.keepDays, budget: UpkeepBudget = BUDGET): Promise<number> {
  const before = new Date(now.getTime() - keepDays * DAY_MS);
  return removeInBatches("audit-purge", budget, (tx, limit) => entryPurge(tx, before, limit));
}
