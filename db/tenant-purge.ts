// Removing all that a room holds of an organisation that is gone for good. In batches, each a short transaction of its own, within a
// budget of time; what it does not reach is left to the job's next attempt. Doing it again removes nothing more.
import type { SystemReason } from "../security/system-reasons";
import type { Tx } from "./tenant";
import { removeInTurn, type Removed, type UpkeepBudget } from "./upkeep";

/** A statement that removes at most `limit` rows of what `of` has. */
export type DeleteSome<Of = string> = (tx: Tx, of: Of, limit: number) => Promise<Removed>;

/** Less than the time of the job that does it. */
export const TENANT_PURGE_BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 480_000, batchMax: 1_000 };

/** By statements in the order in which they must run, the time of the budget long; resolves with whether nothing is left. */
export const purgeInTurn = <Of>(
  reason: SystemReason,
  of: Of,
  removes: readonly DeleteSome<Of>[],
  budget: UpkeepBudget = TENANT_PURGE_BUDGET,
): Promise<boolean> =>
  removeInTurn(
    reason,
    budget,
    removes.map((remove) => (tx, limit) => remove(tx, of, limit)),
  );
