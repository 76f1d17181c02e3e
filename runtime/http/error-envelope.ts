// Errors in the shape `{"error": {"code", "message", "details"}}`, for clients that ask for it: those of a contract that names a few codes
// in capitals and answers a time-out with 408. Everybody else is answered as Encore does (failure.ts).
import type { IncomingMessage } from "node:http";
import { quote } from "../schema/encoder";
import type { ErrorCode, Failure } from "./failure";

const HEADER = "x-error-format";
const REQUEST_TIMEOUT = 408;

/** The contract's own; of all others the code is the reason, in capitals. */
const CODES: Partial<Record<ErrorCode, string>> = {
  invalid_argument: "VALIDATION_ERROR",
  out_of_range: "VALIDATION_ERROR",
  not_found: "NOT_FOUND",
  unauthenticated: "UNAUTHORIZED",
  deadline_exceeded: "DB_TIMEOUT",
  internal: "INTERNAL_ERROR",
  unknown: "INTERNAL_ERROR",
  data_loss: "INTERNAL_ERROR",
};

export const wantsEnvelope = ({ headers }: IncomingMessage): boolean => headers[HEADER] === "envelope";

function reasonIn(details: string | null): string | undefined {
  if (details === null) return undefined;
  try {
    const { reason } = JSON.parse(details) as { reason?: unknown };
    return typeof reason === "string" ? reason : undefined;
  } catch {
    return undefined;
  }
}

/** The status and the body. */
export function envelopeOf({ code, status, message, details }: Failure): { status: number; body: string } {
  const known = CODES[code] ?? (reasonIn(details) ?? code).toUpperCase();
  const text = `{"error":{"code":${quote(known)},"message":${quote(message)},"details":${details ?? "{}"}}}`;
  return { status: code === "deadline_exceeded" ? REQUEST_TIMEOUT : status, body: text };
}
