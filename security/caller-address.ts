// The current request's caller as limits count them: for rules that limit by themselves.
import { currentCall, type CurrentCall } from "../telemetry/current-call";

import { clientLimitKey, UNKNOWN_ADDRESS } from "./client-ip";

/** The key of the caller's address; undefined when one of our own services calls. */
export const addressOfCall = (call: CurrentCall): string | undefined =>
  clientLimitKey({ "x-forwarded-for": call.header("x-forwarded-for"), forwarded: call.header("forwarded") });

/** The key of the current caller's address; all whose address is not known share one. */
export function callerAddress(): string {
  const call = currentCall();
  return (call && addressOfCall(call)) ?? UNKNOWN_ADDRESS;
}
