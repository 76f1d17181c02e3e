// Answers past their time go.
import { removeInBatches } from "../db/upkeep";
import { requestPurge } from "./store";

const UPKEEP = { statementTimeoutMs: 60_000, totalMs: 5 * 60_000, batchMax: 5_000 };

/** Resolves with how many. */
export function purgeRequests(): Promise<number> {
  return removeInBatches("purge-idempotency-keys", UPKEEP, requestPurge);
}
