// What went wrong with a provider, and what follows from it: may it have been paid, whom to ask next, whose fault it is.
// Providers bill no request that they answer with an error of their own. What a proxy in front of them says (408, 502, 504), and
// a connection that ends without a word, may hide an answer that was made: that counts as paid.

export type FailureReason =
  /** Never reached: nothing was sent. */
  | "unreachable"
  | "rate_limited"
  | "overloaded"
  | "key_refused"
  | "request_refused"
  | "model_unknown"
  | "failed"
  /** It did not begin to answer, or fell silent. */
  | "silent"
  /** The answer had begun. */
  | "cut"
  /** Its circuit breaker is open, or it has as many calls as it may have. */
  | "resting"
  /** Whoever asked has left, or all the time is used up. */
  | "given_up";

export interface FailureFacts {
  paid: "nothing" | "unknown";
  /** How long the provider wants to be left alone. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** Without prompt, answer and key: it is logged. */
export class ProviderFailure extends Error {
  override readonly name = "ProviderFailure";
  readonly paid: FailureFacts["paid"];
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly reason: FailureReason,
    { paid, retryAfterMs, cause }: FailureFacts,
  ) {
    super(`the provider's answer: ${reason}`, { cause });
    this.paid = paid;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the provider is at fault, so that it is left alone when it happens again and again. */
  get isFault(): boolean {
    return ["unreachable", "overloaded", "failed", "silent"].includes(this.reason);
  }

  /** Whether the same provider may be asked again: it has not begun, nothing was paid, and it may have been a moment's trouble. */
  get isRetryable(): boolean {
    return this.paid === "nothing" && ["unreachable", "rate_limited", "overloaded"].includes(this.reason);
  }

  /** Whether another provider may answer what this one did not. */
  get mayAskOthers(): boolean {
    return this.reason !== "request_refused" && this.reason !== "cut" && this.reason !== "given_up";
  }
}

const NEVER_SENT = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"],
  ...["CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN", "ERR_TLS_CERT_ALTNAME_INVALID"],
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

const CAUSES_MAX = 10;

function codeIn(error: unknown): string | undefined {
  let at = error;
  for (let depth = 0; depth < CAUSES_MAX && typeof at === "object" && at !== null; depth++) {
    const { code, cause } = at as { code?: unknown; cause?: unknown };
    if (typeof code === "string") return code;
    at = cause;
  }
  return undefined;
}

const BY_STATUS: Readonly<Record<number, readonly [FailureReason, FailureFacts["paid"]]>> = {
  400: ["request_refused", "nothing"],
  401: ["key_refused", "nothing"],
  402: ["key_refused", "nothing"],
  403: ["key_refused", "nothing"],
  404: ["model_unknown", "nothing"],
  408: ["failed", "unknown"],
  413: ["request_refused", "nothing"],
  422: ["request_refused", "nothing"],
  429: ["rate_limited", "nothing"],
  500: ["failed", "nothing"],
  502: ["failed", "unknown"],
  503: ["overloaded", "nothing"],
  504: ["failed", "unknown"],
  529: ["overloaded", "nothing"],
};

interface HttpFailure {
  statusCode: number;
  responseHeaders?: Record<string, string>;
}

const isHttpFailure = (error: unknown): error is HttpFailure =>
  error instanceof Error && "statusCode" in error && typeof error.statusCode === "number" && error.statusCode >= 400;

/** Seconds or a date (RFC 9110 §10.2.3), or OpenAI's own milliseconds. */
function retryAfterOf({ responseHeaders = {} }: HttpFailure, nowMs: number): number | undefined {
  const ms = Number(responseHeaders["retry-after-ms"] ?? NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const text = responseHeaders["retry-after"];
  if (text === undefined) return undefined;
  const seconds = Number(text);
  const afterMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(afterMs) ? Math.max(0, afterMs) : undefined;
}

/** What was thrown before anything left for the provider: it was not paid and is not at fault, whatever it looks like. */
export function failureBeforeLeaving(error: unknown): ProviderFailure {
  if (!(error instanceof ProviderFailure))
    return new ProviderFailure("request_refused", { paid: "nothing", cause: error });
  return error.paid === "nothing" ? error : new ProviderFailure("given_up", { paid: "nothing", cause: error });
}

/** Tells apart what a call of a provider threw before its answer began. */
export function failureOf(error: unknown, nowMs = Date.now()): ProviderFailure {
  if (error instanceof ProviderFailure) return error;
  if (isHttpFailure(error)) {
    const [reason, paid] = BY_STATUS[error.statusCode] ?? ["failed", "unknown"];
    const retryAfterMs = retryAfterOf(error, nowMs);
    return new ProviderFailure(reason, { paid, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  }
  const code = codeIn(error);
  if (code !== undefined && NEVER_SENT.has(code)) return new ProviderFailure("unreachable", { paid: "nothing" });
  return new ProviderFailure("failed", { paid: "unknown" });
}
