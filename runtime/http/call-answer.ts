// What a caller inside the process makes of an answer that is no success (G-45): its body is read as an API error,
// whether it is one or the handler only set a status.
import type { EncodedResponse } from "../schema/response-codec";
import { Failure, isErrorCode } from "./failure";

/** The fields an error has to have, in the order in which the official reader misses them. */
const REQUIRED = ["code", "message", "details"] as const;

/** It is read in one go; what an error may say (failure.ts) is less. */
const ERROR_CHARS_MAX = 2 << 20;

function unreadable(problem: string): Failure {
  return new Failure("invalid_argument", `unable to parse error response: ${problem}`);
}

/** The error in an answer whose status is none of success. */
export function failureOf({ body }: EncodedResponse): Failure {
  if (body === null || body === "") return unreadable("EOF while parsing a value at line 1 column 0");
  if (body.length > ERROR_CHARS_MAX)
    return unreadable(`${body.length} characters are too many: an error has ${ERROR_CHARS_MAX} at most`);
  const fields = JSON.parse(body) as Record<string, unknown>;
  const missing = REQUIRED.find((name) => fields[name] === undefined);
  if (missing !== undefined)
    return unreadable(`missing field \`${missing}\` at line 1 column ${Buffer.byteLength(body)}`);
  const { code, message, details } = fields;
  if (typeof code !== "string" || !isErrorCode(code) || typeof message !== "string") return unreadable("invalid error");
  const isObject = typeof details === "object" && details !== null && !Array.isArray(details);
  return new Failure(code, message, null, isObject ? JSON.stringify(details) : null);
}
