// The last word on every error that leaves an endpoint: an APIError of a closed catalogue with a request id.
// Whatever else was thrown becomes `internal_error` (or `service_unavailable` when the database or the
// network is the reason), is logged with its cause, and shows the caller nothing of it.
import { APIError, ErrCode } from "encore.dev/api";

import { logBug, logger } from "../telemetry/logger";
import { currentRequestId } from "../telemetry/tracing";
import { commonErrors } from "./common-errors";
import { internalsOf, reasonOf, type ErrorClass, type ErrorDetails, statusOfClass } from "./errors";

const log = logger("errors");

/** Turns anything thrown by an endpoint into the APIError to answer, logging what the caller will not see. */
export function normaliseError(thrown: unknown): APIError {
  if (thrown instanceof APIError) return normaliseApiError(thrown);
  const known = infrastructureError(thrown);
  if (known !== undefined) {
    const level = httpStatusOf(known) >= 500 ? "error" : "warn";
    log[level]({ err: thrown, reason: reasonOf(known) }, "an endpoint failed on a part it depends on");
    return known;
  }
  logBug(log, asError(thrown), "an endpoint threw an error that no catalogue knows");
  return commonErrors.internal_error({ cause: thrown });
}

function normaliseApiError(error: APIError): APIError {
  const kept = internalsOf(error);
  if (kept !== undefined) {
    if (httpStatusOf(error) >= 500)
      log.error(
        { err: kept.cause, internal: kept.internal, reason: reasonOf(error) },
        "an endpoint answered an error of ours",
      );
    return error;
  }
  // Through a client call: made by a catalogue on the other side, which has logged it.
  if (reasonOf(error) !== undefined && error.cause === undefined) return error;
  if (isOurFault(error.code)) {
    logBug(log, error, "an endpoint threw an internal error");
    return commonErrors.internal_error({ cause: error });
  }
  const details: ErrorDetails = {
    ...error.details,
    reason: reasonOf(error) ?? error.code,
    requestId: currentRequestId(),
  };
  return new APIError(error.code, error.message, undefined, details);
}

const isOurFault = (code: ErrCode): boolean =>
  !Object.hasOwn(statusOfClass, code) ||
  code === ErrCode.Internal ||
  code === ErrCode.Unknown ||
  code === ErrCode.DataLoss;

/** The HTTP status that Encore gives this error. */
export function httpStatusOf(error: APIError): number {
  return statusOfClass[error.code as ErrorClass] ?? 500;
}

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(`thrown: ${typeof thrown}`));

const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EPIPE",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
]);
const timeoutCodes = new Set(["ETIMEDOUT", "ESOCKETTIMEDOUT", "57014", "25P03", "25P04", "55P03"]);
const collisionCodes = new Set(["40001", "40P01"]);
/**
 * Data no rule caught and Postgres refused: not text, too long, out of range, no such date. Not 22P02, 22P03 and 22007: text in
 * the place of a number, a UUID or a date is a statement's mistake, or that of a rule that let it pass, and must be seen as one.
 */
const badDataCodes = new Set(["22021", "22P05", "22001", "22003", "22008"]);
/** Of these, only a value that came as it is: what overflows while a statement reckons is the statement's mistake too. */
const overflowCodes = new Set(["22003", "22008"]);
/** What db/ calls failures that have no code of their own. */
const unavailableKinds = new Set(["unavailable"]);
/** SQLSTATE classes: connection, insufficient resources, operator intervention, system error. */
const unavailableClasses = /^(?:08|53|57|58)[0-9A-Z]{3}$/;

/** What a failure of the database or the network means to a caller, found by its code anywhere in the chain of causes. */
function infrastructureError(thrown: unknown): APIError | undefined {
  for (let error = thrown, depth = 0; isErrorLike(error) && depth < 6; error = error.cause, depth++) {
    const meaning = meaningOf(error);
    if (meaning !== undefined) return meaning(thrown);
  }
  return undefined;
}

function meaningOf(error: ErrorLike): ((cause: unknown) => APIError) | undefined {
  const code = typeof error.code === "string" ? error.code : "";
  if (overflowCodes.has(code) && error.isOfParameter === false) return undefined;
  if (badDataCodes.has(code))
    return (cause) =>
      commonErrors.invalid_request({
        cause,
        internal: `SQLSTATE ${code}`,
        fields: {
          "(body)": "holds a value that cannot be stored: a NUL character, or a number, date or text out of range",
        },
      });
  if (collisionCodes.has(code)) return (cause) => commonErrors.conflict_retry({ cause });
  if (timeoutCodes.has(code) || isTimeout(error))
    return (cause) => commonErrors.request_timeout({ cause, retryAfterSeconds: 1 });
  const isAway =
    networkCodes.has(code) ||
    unavailableClasses.test(code) ||
    (typeof error.kind === "string" && unavailableKinds.has(error.kind));
  return isAway ? (cause) => commonErrors.service_unavailable({ cause, retryAfterSeconds: 2 }) : undefined;
}

interface ErrorLike {
  code?: unknown;
  kind?: unknown;
  name?: unknown;
  message?: unknown;
  cause?: unknown;
  /** Of database errors (db/errors.ts). */
  isOfParameter?: unknown;
}

const isErrorLike = (value: unknown): value is ErrorLike => typeof value === "object" && value !== null;

/** `pg` names its pool's timeouts only by their text. */
function isTimeout(error: ErrorLike): boolean {
  return (
    error.name === "TimeoutError" ||
    (typeof error.message === "string" &&
      /^(?:timeout exceeded when trying to connect|Query read timeout|Connection terminated due to connection timeout)/.test(
        error.message,
      ))
  );
}
