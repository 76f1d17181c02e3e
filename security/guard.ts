// The one way into every endpoint (design.md, section 2): context → limits → permissions → endpoint → errors →
// headers. What it enforces is read off the endpoint's tags; an exposed endpoint without them is closed.
// One pass, because each layer of middleware costs every request.
import { middleware, type HandlerResponse, type Middleware, type MiddlewareRequest, type Next } from "encore.dev/api";
import type { APICallMeta, RequestMeta } from "encore.dev";
import type { Span } from "@opentelemetry/api";

import { logger } from "../telemetry/logger";
import { errorsTotal, httpRequestDurationSeconds, httpRequestsTotal } from "../telemetry/metrics";
import { trackWork } from "../telemetry/shutdown";
import { failSpan, inSpan, startRequestSpan, withSpan } from "../telemetry/tracing";
import { clientIp, limitKeyOf } from "./client-ip";
import { commonErrors } from "./common-errors";
import { readPolicy, type Access, type EndpointPolicy } from "./endpoint-policy";
import { reasonOf } from "./errors";
import { apiHeaders } from "./headers";
import { limits } from "./limits";
import { httpStatusOf, normaliseError } from "./normalise";
import { can } from "./permissions";
import { findPrincipal, type Principal } from "./principal";

type ApiCall = APICallMeta & RequestMeta;

const log = logger("guard");
const policies = new Map<string, Map<string, EndpointPolicy>>();

/** Everything a service's endpoints need in front of them: `new Service("name", { middlewares: guard })`. */
export const guard: Middleware[] = [
  middleware({ target: { expose: true } }, (req, next) => guardCall(req, next, admit)),
  // Calls between our services: already admitted at their edge, so neither limited nor asked for permissions.
  middleware({ target: { expose: false } }, (req, next) => guardCall(req, next, undefined)),
];

type Admission = (call: ApiCall, policy: EndpointPolicy, span: Span | undefined) => Promise<void>;

async function guardCall(req: MiddlewareRequest, next: Next, admission: Admission | undefined): Promise<HandlerResponse> {
  const call = req.requestMeta;
  if (call?.type !== "api-call") return next(req);
  const policy = policyOf(call);
  setRawHeaders(req, policy);
  if (policy.isProbe) return next(req);
  const startedAt = performance.now();
  const span = startRequestSpan(call.trace, `${call.method} ${policy.route}`, { "http.request.method": call.method, "http.route": policy.route, "url.path": call.path });
  const run = async (): Promise<HandlerResponse> => {
    if (admission !== undefined) await (span === undefined ? admission(call, policy, span) : withSpan("guard", {}, () => admission(call, policy, span)));
    return next(req);
  };
  try {
    const response = await trackWork(() => (span === undefined ? run() : inSpan(span, run)));
    setHeaders(response, call, policy);
    record(call, policy, span, startedAt, statusOf(req, response));
    return response;
  } catch (thrown) {
    const error = span === undefined ? normaliseError(thrown) : inSpan(span, () => normaliseError(thrown));
    errorsTotal.add(1, { type: reasonOf(error) ?? error.code });
    const status = httpStatusOf(error);
    if (span !== undefined && status >= 500) failSpan(span, error);
    record(call, policy, span, startedAt, status);
    throw error;
  }
}

function policyOf(call: ApiCall): EndpointPolicy {
  const { service, endpoint, tags } = call.api;
  let ofService = policies.get(service);
  if (ofService === undefined) policies.set(service, (ofService = new Map()));
  let policy = ofService.get(endpoint);
  if (policy === undefined) ofService.set(endpoint, (policy = readPolicy(service, endpoint, tags)));
  return policy;
}

/** Limits first, so that probing for permissions is limited too. */
async function admit(call: ApiCall, policy: EndpointPolicy, span: Span | undefined): Promise<void> {
  const principal = findPrincipal();
  if (span !== undefined && principal !== undefined) span.setAttributes({ "tenant.id": principal.tenantId, "user.id": principal.userId });
  if (policy.limit !== null) await countCall(call, policy.limit, principal);
  checkAccess(policy, principal);
}

async function countCall(call: ApiCall, policy: NonNullable<EndpointPolicy["limit"]>, principal: Principal | undefined): Promise<void> {
  const address = clientIp(call.headers);
  const ipKey = address === undefined ? undefined : limitKeyOf(address);
  if (principal === undefined) {
    if (ipKey !== undefined) await limits.consume(policy, "anonymousIp", ipKey);
    return;
  }
  await Promise.all([
    ipKey === undefined ? undefined : limits.consume(policy, "ip", ipKey),
    limits.consume(policy, "user", principal.userId),
    limits.consume(policy, "tenant", principal.tenantId),
  ]);
}

function checkAccess(policy: EndpointPolicy, principal: Principal | undefined): void {
  const access: Access = policy.access;
  switch (access.kind) {
    case "public":
      return;
    case "closed":
      log.error({ endpoint: policy.route, problem: access.problem }, "an exposed endpoint is closed because of its tags");
      throw commonErrors.endpoint_closed({ internal: access.problem });
    case "self":
      if (principal === undefined) throw commonErrors.unauthenticated();
      return;
    case "can": {
      if (principal === undefined) throw commonErrors.unauthenticated();
      const missing = access.permissions.find((permission) => !can(principal, permission));
      if (missing === undefined) return;
      log.warn({ endpoint: policy.route, permission: missing, role: principal.role }, "permission denied");
      throw commonErrors.permission_denied({ internal: `role ${principal.role} lacks ${missing}` });
    }
  }
}

/** Answers that hold somebody's data or tokens are kept by no cache. */
const isStorable = (call: { method: string }, policy: EndpointPolicy): boolean => policy.access.kind === "public" && call.method === "GET";

function setHeaders(response: HandlerResponse, call: ApiCall, policy: EndpointPolicy): void {
  if (call.api.raw) return;
  const { headers } = response.header;
  for (const [name, value] of headerEntries) headers[name] ??= value;
  if (!isStorable(call, policy)) headers["cache-control"] ??= "no-store";
}

const headerEntries = Object.entries(apiHeaders);

/** Before the handler, which may replace them: a raw answer's head is gone when the handler returns. */
function setRawHeaders(req: MiddlewareRequest, policy: EndpointPolicy): void {
  const raw = req.rawResponse;
  if (raw === undefined) return;
  for (const [name, value] of headerEntries) raw.setHeader(name, value);
  if (!isStorable({ method: req.rawRequest?.method ?? "" }, policy)) raw.setHeader("cache-control", "no-store");
}

function statusOf(req: MiddlewareRequest, response: HandlerResponse): number {
  return req.rawResponse?.statusCode ?? response.__internalToResponse().status ?? 200;
}

function record(call: ApiCall, policy: EndpointPolicy, span: Span | undefined, startedAt: number, status: number): void {
  const { method } = call;
  const { route } = policy;
  httpRequestsTotal.add(1, { method, route, status });
  httpRequestDurationSeconds.record((performance.now() - startedAt) / 1000, { method, route });
  if (span === undefined) return;
  span.setAttribute("http.response.status_code", status);
  span.end();
}
