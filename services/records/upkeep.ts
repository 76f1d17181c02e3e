// What was deleted is kept for a time, to be restored, and then removed. What stands in a category goes before it.
import type { Tx } from "../../db/tenant";
import { removeInBatches, type Removed, type UpkeepBudget } from "../../db/upkeep";
import { accountPurge, budgetPurge, categoryPurge, orderPurge, productPurge } from "./store/upkeep";

/** Told in the README, and in each answer that says how something comes back. */
export const DELETED_KEEP_DAYS = 30;
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 120_000, batchMax: 1_000 };

/** Resolves with how many records were removed, of all organisations. */
export async function purgeDeleted(budget: UpkeepBudget = BUDGET): Promise<number> {
  const endsAtMs = performance.now() + budget.totalMs;
  const remove = (purge: (tx: Tx, days: number, limit: number) => Promise<Removed>): Promise<number> => {
    const totalMs = Math.max(0, endsAtMs - performance.now());
    return removeInBatches("purge-deleted-records", { ...budget, totalMs }, (tx, limit) =>
      purge(tx, DELETED_KEEP_DAYS, limit),
    );
  };
  let removed = 0;
  // Budgets before the accounts that they are of.
  for (const purge of [orderPurge, productPurge, budgetPurge, accountPurge]) removed += await remove(purge);
  return performance.now() < endsAtMs ? removed + (await remove(categoryPurge)) : removed;
}
