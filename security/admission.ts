// May this call in? Limits first, so that probing for permissions is limited too; then what the endpoint's
// tags ask of its caller.
import type { Span } from "@opentelemetry/api";
import type { APICallMeta, RequestMeta } from "encore.dev";

import { logger } from "../telemetry/logger";
import { clientLimitKey, UNKNOWN_ADDRESS } from "./client-ip";
import { commonErrors } from "./common-errors";
import { isCrossSite, isPlainRead } from "./csrf";
import type { EndpointPolicy } from "./endpoint-policy";
import { limits, type LimitPolicy } from "./limits";
import { can } from "./permissions";
import { findPrincipal, type Principal } from "./principal";

export type ApiCall = APICallMeta & RequestMeta;

const log = logger("guard");

/**
 * Returns undefined when the call may run, or a promise of it when counting has to wait for somebody.
 * @throws APIError resource_exhausted, unauthenticated or permission_denied: at once, or the promise rejects with it.
 */
export function admit(call: ApiCall, policy: EndpointPolicy, span: Span | undefined): Promise<void> | undefined {
  const principal = findPrincipal();
  if (span !== undefined && principal !== undefined)
    span.setAttributes({ "tenant.id": principal.tenantId, "user.id": principal.userId });
  const counting = policy.limit === null ? undefined : count(call, policy.limit, principal);
  if (counting !== undefined) return counting.then(() => checkCaller(call, policy, principal));
  checkCaller(call, policy, principal);
  return undefined;
}

function count(call: ApiCall, limit: LimitPolicy, principal: Principal | undefined): Promise<void> | undefined {
  return limits.consumeCaller(limit, {
    ip: isStream(call) ? addressOfStream(principal) : clientLimitKey(call.headers),
    user: principal?.userId,
    tenant: principal?.tenantId,
  });
}

/** Streams come without method and headers (contract S-13). */
const isStream = ({ method }: ApiCall): boolean => (method as string) === "";

/** Nobody knows it: who is signed in is counted by who they are, all others together. */
const addressOfStream = (principal: Principal | undefined): string | undefined =>
  principal === undefined ? UNKNOWN_ADDRESS : undefined;

function checkCaller(call: ApiCall, policy: EndpointPolicy, principal: Principal | undefined): void {
  if (principal !== undefined && isForgeable(call, policy)) throw commonErrors.cross_site_request();
  checkAccess(policy, principal);
}

/** What reads a public endpoint is the same for everybody; all else is done in the name of whoever the cookie names. */
function isForgeable({ method, headers }: ApiCall, { access }: EndpointPolicy): boolean {
  if (access.kind === "public" && isPlainRead(method)) return false;
  return isCrossSite(headers);
}

function checkAccess(policy: EndpointPolicy, principal: Principal | undefined): void {
  const { access, route } = policy;
  switch (access.kind) {
    case "public":
      return;
    case "closed":
      log.error({ endpoint: route, problem: access.problem }, "an exposed endpoint is closed because of its tags");
      throw commonErrors.endpoint_closed({ internal: access.problem });
    case "self":
      if (principal === undefined) throw commonErrors.unauthenticated();
      return;
    case "can": {
      if (principal === undefined) throw commonErrors.unauthenticated();
      const missing = access.permissions.find((permission) => !can(principal, permission));
      if (missing === undefined) return;
      log.warn({ endpoint: route, permission: missing, role: principal.role }, "permission denied");
      throw commonErrors.permission_denied({ internal: `role ${principal.role} lacks ${missing}` });
    }
  }
}
