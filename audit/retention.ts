// How long entries and counts of system use are kept: AUDIT_KEEP_DAYS, never less than the 90 days that the tables
// themselves insist on.
import { cfg } from "../config";
import { systemUsePurge } from "../db/store";
import { removeEach, removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { entryPurge, headPurge } from "./store";

const DAY_MS = 86_400_000;
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 300_000, batchMax: 2_000 };

/** Resolves with the number of entries, counts and heads that went; what the budget does not reach is left to the next run. */
export async function purgeAudit(
  now: Date,
  keepDays = cfg.audit.keepDays,
  budget: UpkeepBudget = BUDGET,
): Promise<number> {
  const before = new Date(now.getTime() - keepDays * DAY_MS);
  const { uses, entries, heads } = await removeEach({
    uses: () => removeInBatches("system-use-purge", budget, (tx, limit) => systemUsePurge(tx, before, limit)),
    entries: () => removeInBatches("audit-purge", budget, (tx, limit) => entryPurge(tx, before, limit)),
    heads: () => removeInBatches("audit-purge", budget, headPurge),
  });
  return uses + entries + heads;
}
