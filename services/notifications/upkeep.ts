// What is past its time goes.
import { removeInBatches, type UpkeepBudget } from "../../db/upkeep";
import { digestPurge } from "./store/digests";
import { deliveryPurge } from "./store/deliveries";
import { subscriptionPurge } from "./store/push";
import { dailyCountPurge, notificationPurge, recipientPurge } from "./store/notifications";

const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 120_000, batchMax: 5_000 };
export const KEEP_DAYS = 90;
const REASON = "purge-notifications";

/** What somebody was shown goes before what it said. */
export const purgeOld: readonly (() => Promise<number>)[] = [
  () => removeInBatches(REASON, BUDGET, (tx, limit) => deliveryPurge(tx, KEEP_DAYS, limit)),
  () => removeInBatches(REASON, BUDGET, (tx, limit) => recipientPurge(tx, KEEP_DAYS, limit)),
  () => removeInBatches(REASON, BUDGET, (tx, limit) => notificationPurge(tx, KEEP_DAYS + 1, limit)),
  () => removeInBatches(REASON, BUDGET, (tx, limit) => dailyCountPurge(tx, limit)),
  () => removeInBatches(REASON, BUDGET, (tx, limit) => subscriptionPurge(tx, limit)),
  () => removeInBatches(REASON, BUDGET, (tx, limit) => digestPurge(tx, limit)),
];
