// The current request's caller as limits count them: for rules that limit by themselves.
import { currentRequest } from "encore.dev";

import { clientLimitKey, UNKNOWN_ADDRESS } from "./client-ip";

/** The key of the caller's address; all whose address is not known share one. */
export function callerAddress(): string {
  const request = currentRequest();
  const headers = request?.type === "api-call" ? request.headers : {};
  return clientLimitKey(headers) ?? UNKNOWN_ADDRESS;
}
