// The current request's caller as limits count them: for rules that limit by themselves.
import { currentCall, type CurrentCall } from "../telemetry/current-call";

import { clientLimitKey, UNKNOWN_ADDRESS, type Headers } from "./client-ip";

/** What a call says of the hops between its caller and us. */
export const hopsOf = (call: CurrentCall): Headers => ({
  "x-forwarded-for": call.header("x-forwarded-for"),
  forwarded: call.header("forwarded"),
});

/** The key of the caller's address; undefined when one of our own services calls. */
export const addressOfCall = (call: CurrentCall): string | undefined => clientLimitKey(hopsOf(call));

/** The key of the current caller's address; all whose address is not known share one. */
export function callerAddress(): string {
  const call = currentCall();
  return (call && addressOfCall(call)) ?? UNKNOWN_ADDRESS;
}

const DEVICE_CHARS = 200;

/** What the caller's browser or program calls itself, for their list of sign-ins; null when it says nothing. */
export function callerDevice(): string | null {
  const named = currentCall()?.header("user-agent");
  const [name = ""] = typeof named === "string" ? [named] : (named ?? []);
  return name === "" ? null : name.slice(0, DEVICE_CHARS);
}
