// How long entries and counts of system use are kept: AUDIT_KEEP_DAYS, never less than the 90 days that the tables
// themselves insist on. By the database's clock, which entries get their moments from: that of a process may be ahead.
import { cfg } from "../config";
import { systemUsePurge } from "../db/store";
import type { Tx } from "../db/tenant";
import { removeEach, removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { isIntact } from "./chain";
import { auditKeys, sealKeys } from "./key";
import { sealOf } from "./seal";
import { sayAgain } from "./sealing";
import { entryPurge, headPurge, headSealStarts, type MovedStart } from "./store";

const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 300_000, batchMax: 2_000 };

/** Resolves with the number of entries, counts and heads that went; what the budget does not reach is left to the next run. */
export async function purgeAudit(keepDays = cfg.audit.keepDays, budget: UpkeepBudget = BUDGET): Promise<number> {
  await sayAgain();
  const { uses, entries, heads } = await removeEach({
    uses: () => removeInBatches("system-use-purge", budget, (tx, limit) => systemUsePurge(tx, keepDays, limit)),
    entries: () => removeInBatches("audit-purge", budget, (tx, limit) => purgeEntries(tx, keepDays, limit)),
    heads: () => removeInBatches("audit-purge", budget, headPurge),
  });
  return uses + entries + heads;
}

/** What a log begins behind is old by an entry that is as it was written: one that somebody made older than it is gives no seal. */
async function purgeEntries(tx: Tx, keepDays: number, limit: number): Promise<number> {
  const { removed, moved } = await entryPurge(tx, keepDays, limit);
  const seals = moved.filter(isOld).map(({ tenantId, seq, hash }) => ({
    tenantId,
    seal: sealOf(sealKeys(), { of: "start", tenantId, seq: seq + 1, hash }),
  }));
  if (seals.length > 0) await headSealStarts(tx, seals);
  return removed;
}

const isOld = ({ before, ...entry }: MovedStart): boolean => before !== null && isIntact(auditKeys(), before, entry);
