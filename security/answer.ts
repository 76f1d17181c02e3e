// What the guard adds to answers: security headers, and the word to every cache not to keep it, unless the endpoint is
// tagged `cacheable` (a public GET may be by cookies too, and answer somebody's own). Error answers carry no headers of ours (Encore drops them): there the edge adds apiHeaders.
import type { HandlerResponse, MiddlewareRequest } from "encore.dev/api";

import type { CurrentCall } from "../telemetry/current-call";
import type { EndpointPolicy } from "./endpoint-policy";
import { apiHeaders, cacheableHeaders } from "./headers";
import { rateLimitHeaders, type Standing } from "./rate-limit-headers";

const headersOf = ({ isCacheable }: EndpointPolicy): Readonly<Record<string, string>> =>
  isCacheable ? cacheableHeaders : apiHeaders;

/** Adds headers to a typed answer; those that are there already stay. */
export function setHeaders(
  response: HandlerResponse,
  call: CurrentCall,
  policy: EndpointPolicy,
  standing?: Standing,
): void {
  if (call.api.raw) return;
  const { header } = response;
  const ours = headersOf(policy);
  header.headers = isEmpty(header.headers) ? { ...ours } : { ...ours, ...header.headers };
  if (standing !== undefined) Object.assign(header.headers, rateLimitHeaders(standing));
}

/** Most handlers add none, and on Node 20 a second spread costs as much as a promise. */
function isEmpty(headers: object): boolean {
  for (const _ in headers) return false;
  return true;
}

/** Before the handler, which may replace them: a raw answer's head is gone when the handler returns. */
export function setRawHeaders(req: MiddlewareRequest, policy: EndpointPolicy): void {
  const raw = req.rawResponse;
  if (raw === undefined) return;
  for (const [name, value] of Object.entries(headersOf(policy))) raw.setHeader(name, value);
}

/** Of a limit that is nearly used up; before the handler too. */
export function setRawStanding({ rawResponse }: MiddlewareRequest, standing: Standing): void {
  if (rawResponse === undefined) return;
  for (const [name, value] of Object.entries(rateLimitHeaders(standing))) rawResponse.setHeader(name, value);
}

/** The status of a successful answer. */
export function statusOf(req: MiddlewareRequest, response: HandlerResponse): number {
  return req.rawResponse?.statusCode ?? response.__internalToResponse().status ?? 200;
}
