// What the guard adds to answers: security headers, and for somebody's own data the word to every cache not
// to keep it. Error answers carry no headers of ours (Encore drops them): there the edge adds apiHeaders.
import type { HandlerResponse, MiddlewareRequest } from "encore.dev/api";

import type { CurrentCall } from "../telemetry/current-call";
import type { EndpointPolicy } from "./endpoint-policy";
import { apiHeaders } from "./headers";
import { rateLimitHeaders, type Standing } from "./rate-limit-headers";

const headerEntries = Object.entries(apiHeaders);
const privateHeaders = { ...apiHeaders, "cache-control": "no-store" };

/** Adds headers to a typed answer; those that are there already stay. */
export function setHeaders(
  response: HandlerResponse,
  call: CurrentCall,
  policy: EndpointPolicy,
  standing?: Standing,
): void {
  if (call.api.raw) return;
  const { header } = response;
  const ours = isStorable(call.method, policy) ? apiHeaders : privateHeaders;
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
  for (const [name, value] of headerEntries) raw.setHeader(name, value);
  if (!isStorable(req.rawRequest?.method ?? "", policy)) raw.setHeader("cache-control", "no-store");
}

/** Of a limit that is nearly used up; before the handler too. */
export function setRawStanding({ rawResponse }: MiddlewareRequest, standing: Standing): void {
  if (rawResponse === undefined) return;
  for (const [name, value] of Object.entries(rateLimitHeaders(standing))) rawResponse.setHeader(name, value);
}

/** Only public reads may be kept by a cache. */
function isStorable(method: string, policy: EndpointPolicy): boolean {
  return policy.access.kind === "public" && method === "GET";
}

/** The status of a successful answer. */
export function statusOf(req: MiddlewareRequest, response: HandlerResponse): number {
  return req.rawResponse?.statusCode ?? response.__internalToResponse().status ?? 200;
}
