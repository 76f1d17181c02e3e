// Endpoints that speak another protocol refuse in its form, so that its stock clients show why: raw endpoints with the tag
// `refuses:<form>`. The room that speaks it says how (`declareRefusalForm`); the guard writes the answer, so that what it refuses
// itself has that form too. All other endpoints, and these where nobody said how, have the house's.
import type { APIError, MiddlewareRequest } from "encore.dev/api";

import type { ErrorDetails } from "./errors";

/** What is told of a refusal, whatever its form. */
export interface Refusal {
  status: number;
  message: string;
  details: ErrorDetails & Record<string, unknown>;
}

export interface RefusalAnswer {
  status: number;
  body: object;
  /** Beside those that say when to come again. */
  headers?: Readonly<Record<string, string>>;
}

export type RefusalForm = (refusal: Refusal) => RefusalAnswer;

const forms = new Map<string, RefusalForm>();

export function declareRefusalForm(name: string, form: RefusalForm): void {
  forms.set(name, form);
}

/** RFC 9110 §15.5.14: Encore's codes have no class for a body that is too large. */
export const statusOf = ({ status, details }: Refusal): number => (details.bodyBytesMax === undefined ? status : 413);

/** false: nothing was written, because the form is unknown or an answer has begun. */
export function refuseInForm(
  { rawResponse }: MiddlewareRequest,
  name: string,
  error: APIError,
  status: number,
): boolean {
  const form = forms.get(name);
  if (form === undefined || rawResponse === undefined || rawResponse.headersSent) return false;
  const details = (error.details ?? { reason: error.code, requestId: "" }) as Refusal["details"];
  const answer = form({ status, message: error.message, details });
  const text = JSON.stringify(answer.body);
  const headers = { ...comeAgainHeaders(details), ...answer.headers, "content-type": "application/json" };
  rawResponse.statusCode = answer.status;
  for (const [header, value] of Object.entries(headers)) rawResponse.setHeader(header, value);
  rawResponse.end(text);
  return true;
}

/** What the edge makes of the details of errors that it writes (README, "Limits"). */
function comeAgainHeaders({ retryable, retryAfterSeconds, limit }: ErrorDetails): Record<string, string> {
  if (retryable === false) return { "x-should-retry": "false" };
  if (retryAfterSeconds === undefined) return {};
  const seconds = Math.ceil(retryAfterSeconds);
  return { "retry-after": String(seconds), ...(limit === undefined ? {} : usedUp(limit, seconds)) };
}

function usedUp({ name, quota, windowSeconds }: NonNullable<ErrorDetails["limit"]>, seconds: number) {
  const policy = `"${name}";q=${quota};w=${windowSeconds}`;
  return { "ratelimit-policy": policy, ratelimit: `"${name}";r=0;t=${seconds}` };
}
