// For handlers whose work costs more than a request: by size, or by what is known only when it is done. The guard has
// charged the call itself already.
import { currentCall } from "../telemetry/current-call";

import { limitedCaller } from "./admission";
import { limits, type LimitedCaller, type LimitPolicy } from "./limits";
import { findCaller } from "./principal";

/**
 * Charges the current caller `points` more of a policy, runs the work, and gives them back when it fails. Whole points.
 * @throws APIError rate_limited before the work, and whatever the work throws.
 */
export async function charging<T>(policy: LimitPolicy, points: number, work: () => Promise<T>): Promise<T> {
  const caller = callerToCharge();
  if (points === 0 || caller === undefined) return work();
  await limits.consumeCaller(policy, caller, points);
  try {
    return await work();
  } catch (error) {
    await limits.settleCaller(policy, caller, -points);
    throw error;
  }
}

/** Charges the current caller for what was done, whether or not their quota has it: the next requests wait for it. */
export async function chargeAfterwards(policy: LimitPolicy, points: number): Promise<void> {
  const caller = callerToCharge();
  if (caller !== undefined) await limits.settleCaller(policy, caller, points);
}

/** Undefined outside of calls: nobody waits for an answer there. */
function callerToCharge(): LimitedCaller | undefined {
  const call = currentCall();
  return call && limitedCaller(call, findCaller());
}
