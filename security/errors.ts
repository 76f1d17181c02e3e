// Errors by catalogue: each service lists its codes once (`defineErrors`), with the class that decides the
// HTTP status and the text the caller may read. What only we may read (internal text, cause) is kept beside
// the error and never reaches the wire: Encore would append a cause's message to the public one (H-102).
import { currentRequestId } from "../telemetry/tracing";
import { APIError, type ErrCode } from "encore.dev/api";

/** Encore's error codes and their HTTP status (contract H-101). */
export const statusOfClass = {
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

export type ErrorClass = keyof typeof statusOfClass;

export interface ErrorEntry {
  class: ErrorClass;
  /** What the caller reads: no internals, no values. */
  text: string;
  /** Whether the same request may succeed later. */
  retryable?: boolean;
  /** What the caller can do; goes into docs/errors.md. */
  remedy?: string;
}

export interface RefusingLimit {
  /** `policy.dimension` of security/limits.ts. */
  name: string;
  quota: number;
  windowSeconds: number;
}

export interface ErrorOptions {
  /** Field path → what is wrong with it; safe to show. */
  fields?: Readonly<Record<string, string>>;
  retryAfterSeconds?: number;
  /** Which limit refused; the edge tells it in the RateLimit fields too. */
  limit?: RefusingLimit;
  /** What the caller goes on with, beside the rest of `details`; safe to show to them. */
  facts?: Readonly<Record<string, string | readonly string[]>>;
  /** Of this one, where its code alone would say otherwise: repeating it does what nobody wants twice. */
  retryable?: false;
  /** For the log only. */
  internal?: string;
  cause?: unknown;
}

/** `details` on the wire, beside Encore's `code` and `message`. */
export interface ErrorDetails {
  reason: string;
  requestId: string;
  fields?: Record<string, string>;
  retryAfterSeconds?: number;
  retryable?: false;
  limit?: RefusingLimit;
}

interface Internals {
  service: string;
  internal?: string;
  cause?: unknown;
}

const internals = new WeakMap<object, Internals>();

export type ErrorCreators<Code extends string> = Readonly<Record<Code, (options?: ErrorOptions) => APIError>>;

export interface ErrorCatalogue {
  service: string;
  entries: Readonly<Record<string, Readonly<ErrorEntry>>>;
}

const catalogues = new WeakMap<object, ErrorCatalogue>();
/** By code; of the services of this process. */
const remedies = new Map<string, string>();
const codePattern = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/;

/**
 * Declares a service's errors. `errors.some_code({cause})` makes the APIError to throw; its
 * `details.reason` is the code.
 * @throws Error when a code is not lower_snake: codes are part of the API.
 */
export function defineErrors<const E extends Readonly<Record<string, ErrorEntry>>>(
  service: string,
  entries: E,
): ErrorCreators<keyof E & string> {
  const creators: Record<string, (options?: ErrorOptions) => APIError> = {};
  for (const [code, entry] of Object.entries(entries)) {
    if (!codePattern.test(code)) throw new Error(`error code ${service}/${code} is not lower_snake`);
    if (entry.remedy !== undefined && !remedies.has(code)) remedies.set(code, entry.remedy);
    creators[code] = (options = {}) => createError(service, code, entry, options);
  }
  catalogues.set(creators, { service, entries });
  return creators as ErrorCreators<keyof E & string>;
}

/** What a caller can do about an error of this code; undefined where nothing is said, or another process has its catalogue. */
export const remedyOf = (code: string): string | undefined => remedies.get(code);

/** The catalogue behind what `defineErrors` returned; undefined for anything else. */
export function catalogueOf(creators: unknown): ErrorCatalogue | undefined {
  return catalogues.get(creators as object);
}

function createError(service: string, code: string, entry: ErrorEntry, options: ErrorOptions): APIError {
  const details: ErrorDetails = {
    ...options.facts,
    reason: code,
    requestId: currentRequestId(),
    ...(options.fields === undefined ? {} : { fields: { ...options.fields } }),
    ...(options.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: options.retryAfterSeconds }),
    ...(options.retryable === undefined ? {} : { retryable: options.retryable }),
    ...(options.limit === undefined ? {} : { limit: options.limit }),
  };
  const error = new APIError(entry.class as ErrCode, entry.text, undefined, details);
  internals.set(error, {
    service,
    ...(options.internal === undefined ? {} : { internal: options.internal }),
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });
  return error;
}

/** Internal text and cause of an error made by a catalogue: for logs and tests. */
export function internalsOf(error: unknown): Readonly<Internals> | undefined {
  return internals.get(error as object);
}

/** The code (`details.reason`) of an error, also of one that came back through a client call. */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof APIError)) return undefined;
  const reason: unknown = error.details?.reason;
  return typeof reason === "string" ? reason : undefined;
}
