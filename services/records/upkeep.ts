// What was deleted is kept for a time, to be restored, and then removed. What stands in a category goes before it.
import { removeInBatches, type UpkeepBudget } from "../../db/upkeep";
import { accountPurge, categoryPurge, orderPurge, productPurge } from "./store/upkeep";

/** Told in the README, and in each answer that says how something comes back. */
export const DELETED_KEEP_DAYS = 30;
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 120_000, batchMax: 1_000 };

/** Resolves with how many records were removed, of all organisations. */
export async function purgeDeleted(budget: UpkeepBudget = BUDGET): Promise<number> {
  const endsAtMs = performance.now() + budget.totalMs;
  const remove = (purge: typeof productPurge): Promise<number> => {
    const totalMs = Math.max(0, endsAtMs - performance.now());
    return removeInBatches("purge-deleted-records", { ...budget, totalMs }, (tx, limit) =>
      purge(tx, DELETED_KEEP_DAYS, limit),
    );
  };
  let removed = (await remove(orderPurge)) + (await remove(productPurge)) + (await remove(accountPurge));
  // Each time those that nothing stands below any more.
  for (let gone = 1; gone > 0 && performance.now() < endsAtMs; removed += gone) gone = await remove(categoryPurge);
  return removed;
}
