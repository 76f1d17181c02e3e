// Refusals as the OpenAI protocol has them, because its stock clients show nothing else: of a body without `error` the Node
// client says "401 status code (no body)" (openai/openai-node #1734). `code` is our reason, `param` the first field that is wrong.
// Source: https://platform.openai.com/docs/guides/error-codes, and the types that openai/openai-node reads (core/error.ts).
import { statusOf, type Refusal, type RefusalAnswer } from "../../security/refusal-forms";

const FIELDS_SHOWN = 3;
/** The stock client waits as long as Retry-After says, however long that is: what is over no sooner, it is not to wait for. */
const WAIT_SECONDS_MAX = 60;

interface ShownError {
  message: string;
  type: string;
  param: string | null;
  code: string;
}

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
  503: "service_unavailable_error",
};

function typeOf(status: number, reason: string): string {
  if (reason === "budget_exhausted") return "insufficient_quota";
  return TYPES[status] ?? (status < 500 ? "invalid_request_error" : "server_error");
}

/** In a stream that has begun, too: its status was 200. */
export function shownError(status: number, reason: string, message: string, param: string | null = null): ShownError {
  return { message, type: typeOf(status, reason), param, code: reason };
}

/** What a field's path says alone, or of the body as a whole. */
const complaintOf = ([path, problem]: [string, string]): string =>
  path === "(body)" ? `the body ${problem}` : `${path}: ${problem}`;

function messageOf({ message, details }: Refusal): string {
  const { reason, fields = {}, budget } = details;
  if (reason === "unauthenticated") return "no valid API key or access token: send one as Authorization: Bearer …";
  const wrong = Object.entries(fields).slice(0, FIELDS_SHOWN).map(complaintOf);
  if (typeof budget === "string") wrong.push(`budget ${budget}`);
  return wrong.length === 0 ? message : `${message} (${wrong.join("; ")})`;
}

export function openAiRefusal(refusal: Refusal): RefusalAnswer {
  const { details } = refusal;
  const { reason, requestId, retryAfterSeconds = 0, fields = {} } = details;
  const status = statusOf(refusal);
  const param = Object.keys(fields).find((path) => path !== "(body)") ?? null;
  const isLong = retryAfterSeconds > WAIT_SECONDS_MAX;
  return {
    status,
    body: { error: shownError(status, reason, messageOf(refusal), param) },
    headers: { "x-request-id": requestId, ...(isLong ? { "x-should-retry": "false" } : {}) },
  };
}
