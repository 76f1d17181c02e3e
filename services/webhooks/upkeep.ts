// What was sent is known for a time, to be looked at and replayed, and then removed.
import { doEach, removeInBatches, type UpkeepBudget } from "../../db/upkeep";
import { purges } from "./store/upkeep";

/** Told in the README. */
export const KEEP_DAYS = 30;
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 120_000, batchMax: 1_000 };

/** Of all organisations. */
export const purgeSent = (budget: UpkeepBudget = BUDGET): Promise<void> =>
  doEach(
    purges.map((purge) => () => removeInBatches("purge-webhooks", budget, (tx, limit) => purge(tx, KEEP_DAYS, limit))),
  );
