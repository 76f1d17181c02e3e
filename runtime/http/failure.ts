// API errors on their way to a client (contract 3.9): one class, made from what handlers throw and from what the
// host itself refuses.
import { EncodeError, type DecodeError } from "../schema/errors";
import { ValueError } from "../schema/header-decoder";
import { asPayload, encodePaced, quote, writeBounded } from "../schema/encoder";
import { comeAgain } from "./come-again";

/** H-101. */
const STATUS = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
} as const;

export type ErrorCode = keyof typeof STATUS;

const INTERNAL_TEXT = "an internal error occurred";

/**
 * An error as clients may see it; `internal` is for developers, `details` is a JSON text. It has no stack: it describes what a
 * client did, or what was thrown elsewhere, and taking one costs more than the rest of a small request.
 */
export class Failure extends Error {
  override name = "Failure";

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly internal: string | null = null,
    readonly details: string | null = null,
    /** Header lines that say when to come again, from `details`. */
    readonly headers: readonly string[] = [],
  ) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
  }

  get status(): number {
    return STATUS[this.code];
  }

  static internal(internal: string): Failure {
    return new Failure("internal", INTERNAL_TEXT, internal);
  }

  /** The body that goes out (H-100). */
  body(includeInternal: boolean): string {
    const extra = includeInternal
      ? `,"internal_message":${this.internal === null ? "null" : quote(this.internal)}`
      : "";
    return `{"code":"${this.code}","message":${quote(this.message)},"details":${this.details ?? "null"}${extra}}`;
  }
}

/** What decoding or encoding threw, as the client sees it. Other errors are not expected and become internal. */
export function fromCodec(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof ValueError) return new Failure("invalid_argument", error.message, error.internal);
  if (error instanceof EncodeError) return Failure.internal(`InvalidArg, ${error.message}`);
  return Failure.internal(error instanceof Error ? error.message : String(error));
}

/** Auth data that does not have its declared type. */
export function unfitAuthData(error: DecodeError): Failure {
  return new Failure(
    "invalid_argument",
    `unable to parse request: invalid auth data\n\nCaused by:\n    ${error.message}`,
  );
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "[object]";
  }
}

/** Of an error's details, which are written in one go: a few milliseconds at most. */
const DETAILS_BOUND = { parts: 20_000, textChars: 1 << 20 };
/** Characters of a message; what is beyond them is cut off. */
const MESSAGE_CHARS_MAX = 64 << 10;

const cut = (text: string): string => (text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX)}…` : text);

interface Details {
  text: string | null;
  headers: readonly string[];
}

function detailsText(details: Record<string, unknown>): string {
  const { parts } = DETAILS_BOUND;
  const fields = Array.isArray(details) ? { ...details.slice(0, parts + 1) } : details;
  return writeBounded((pace) => encodePaced(fields, 1, pace), DETAILS_BOUND);
}

/** Every key of a value, as the native side keeps details. */
function detailsOf(value: unknown): Details {
  const payload = asPayload(value);
  if (payload === null) return { text: null, headers: [] };
  const text = detailsText(payload);
  return { text: text.startsWith("{") ? text : "{}", headers: Array.isArray(payload) ? [] : comeAgain(payload) };
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(STATUS, code);
}

/** Errors that an app throws again and again and nobody can change: an auth handler's word for "nobody", for one. */
const kept = new WeakMap<WeakKey, Failure>();

function isFixed(thrown: unknown): thrown is Error {
  if (!(thrown instanceof Error) || !Object.isFrozen(thrown) || thrown.cause !== undefined) return false;
  const { details } = thrown as { details?: unknown };
  if (details === undefined) return true;
  const values = Object.isFrozen(details) && details !== null ? Object.values(details) : [details];
  return values.every((value) => value === null || typeof value !== "object");
}

/** H-102: what a handler threw. Fields are read structurally, whatever the value's class. */
export function fromThrown(thrown: unknown): Failure {
  if (thrown === null || thrown === undefined) return Failure.internal("an unknown exception was thrown");
  const known = kept.get(thrown);
  if (known !== undefined) return known;
  try {
    const failure = fromObject(Object(thrown) as Record<string, unknown>);
    if (isFixed(thrown)) kept.set(thrown, failure);
    return failure;
  } catch (error) {
    return Failure.internal(`unable to read the thrown value: ${textOf(error)}`);
  }
}

function fromObject(thrown: Record<string, unknown>): Failure {
  let details: Details;
  try {
    details = detailsOf(thrown.details);
  } catch (error) {
    if (error instanceof EncodeError)
      return Failure.internal(`unable to parse error details: InvalidArg, ${error.message}`);
    throw error;
  }
  const code = textOf(thrown.code);
  const cause = thrown.cause;
  const suffix =
    cause === null || cause === undefined ? "" : `: ${textOf((Object(cause) as { message?: unknown }).message)}`;
  const message = cut(textOf(thrown.message) + suffix);
  if (!isErrorCode(code) || code === "internal") {
    return new Failure("internal", INTERNAL_TEXT, message, details.text, details.headers);
  }
  return new Failure(code, message, null, details.text, details.headers);
}
