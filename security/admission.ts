// May this call in? Limits first, so that probing for permissions is limited too; then what the endpoint's
// tags ask of its caller.
import type { Span } from "@opentelemetry/api";

import type { CurrentCall } from "../telemetry/current-call";
import { logger } from "../telemetry/logger";
import { addressOfCall } from "./caller-address";
import { UNKNOWN_ADDRESS } from "./client-ip";
import { commonErrors } from "./common-errors";
import { databaseClock } from "./database-clock";
import { isCrossSiteBy, isPlainRead } from "./csrf";
import type { EndpointPolicy } from "./endpoint-policy";
import { limits, type LimitedCaller } from "./limits";
import { assertOwnProof } from "./own-proof";
import { checkOwner } from "./ownership";
import { can } from "./permissions";
import { actorOf, findCaller, isPrincipal, type Caller } from "./principal";
import type { Standing } from "./rate-limit-headers";

const log = logger("guard");

/**
 * Returns when the call may run: what its caller is to be told of a limit, if anything, or a promise of it when counting
 * has to wait for somebody.
 * @throws APIError resource_exhausted, unauthenticated or permission_denied: at once, or the promise rejects with it.
 */
export function admit(
  call: CurrentCall,
  policy: EndpointPolicy,
  span: Span | undefined,
): Standing | undefined | Promise<Standing | undefined> {
  const caller = findCaller();
  if (span !== undefined && caller !== undefined) nameCaller(span, caller);
  const standing =
    policy.limit === null ? undefined : limits.consumeCaller(policy.limit, limitedCaller(call, caller), policy.cost);
  if (standing instanceof Promise) return standing.then((counted) => checked(call, policy, caller, counted));
  return checked(call, policy, caller, standing);
}

function checked(
  call: CurrentCall,
  policy: EndpointPolicy,
  caller: Caller | undefined,
  standing: Standing | undefined,
): Standing | undefined | Promise<Standing | undefined> {
  checkCaller(call, policy, caller);
  const { access, route } = policy;
  if (access.kind !== "can" || access.owns === undefined) return standing;
  // Staff own nothing in an organisation.
  if (caller === undefined || !isPrincipal(caller)) throw commonErrors.no_organisation();
  return checkOwner(access.owns, caller, route).then(() => standing);
}

function nameCaller(span: Span, { subjectId, tenantId }: Caller): void {
  span.setAttribute("user.id", subjectId);
  if (tenantId !== null) span.setAttribute("tenant.id", tenantId);
}

/** The keys that limits count this caller by. */
export function limitedCaller(call: CurrentCall, caller: Caller | undefined): LimitedCaller {
  const ip = isStream(call) ? addressOfStream(caller) : addressOfCall(call);
  if (caller === undefined) return { ip };
  const tenant = caller.tenantId ?? undefined;
  return caller.kind === "key" ? { ip, key: caller.subjectId, tenant } : { ip, user: caller.subjectId, tenant };
}

/** Streams come without method and headers (contract S-13). */
const isStream = ({ method }: CurrentCall): boolean => method === "";

/** Nobody knows it: who is signed in is counted by who they are, all others together. */
const addressOfStream = (caller: Caller | undefined): string | undefined =>
  caller === undefined ? UNKNOWN_ADDRESS : undefined;

function checkCaller(call: CurrentCall, policy: EndpointPolicy, caller: Caller | undefined): void {
  if (caller !== undefined && isForgeable(call, policy)) throw commonErrors.cross_site_request();
  if (caller !== undefined && policy.access.kind !== "public") checkOrganisation(call, caller);
  checkAccess(policy, caller);
  // First: what shows something of the account's own makes fresh as well.
  if (policy.needsOwnProof) assertOwnProof(caller);
  if (policy.needsFresh) checkFresh(caller);
}

/** Lower case, as calls name headers. */
const ORGANISATION_HEADER = "x-organisation-id";

/**
 * A page that shows organisation A writes nothing into B, into which a tab beside it has switched the browser's session:
 * it says what it shows, and is told before anything is done. What is said only refuses, it never chooses; products that
 * kept the choice in the session alone served one organisation's data under another's name (influxdata/chronograf issue
 * 5742, decocms/studio pull request 3250). Empty: in none. Streams reach the guard without headers (contract S-13).
 */
function checkOrganisation(call: CurrentCall, { tenantId }: Caller): void {
  const sent = call.header(ORGANISATION_HEADER);
  if (sent === undefined || (typeof sent === "string" && sent.toLowerCase() === (tenantId ?? ""))) return;
  throw commonErrors.organisation_mismatch();
}

/** How long after showing who they are a person may do what an endpoint tagged `fresh` does. */
export const FRESH_SECONDS = 600;

/**
 * What could lock an account's owner out, or outlive their session, is not done by whoever merely holds a token: NIST SP
 * 800-63B-4 §5.2 (reauthentication), ASVS 5.0 7.5.1. The token says when; whoever has waited too long asks
 * POST /auth/step-up for another. A key or a machine shows nothing anew, so it may not.
 */
function checkFresh(caller: Caller | undefined): void {
  const isPerson = caller?.kind === "user" || caller?.kind === "operator";
  if (!isPerson) throw commonErrors.permission_denied({ internal: "fresh: is for people" });
  // By the clock that set it.
  const ageSeconds = databaseClock.at(new Date()).getTime() / 1000 - (caller.authTime ?? 0);
  // Said so that a time that is no number is refused too.
  if (!(ageSeconds <= FRESH_SECONDS)) throw commonErrors.step_up_required();
}

/** What reads a public endpoint is the same for everybody; all else is done in the name of whoever the cookie names. */
function isForgeable(call: CurrentCall, { access }: EndpointPolicy): boolean {
  if (access.kind === "public" && isPlainRead(call.method)) return false;
  return isCrossSiteBy((name) => call.header(name));
}

function checkAccess(policy: EndpointPolicy, caller: Caller | undefined): void {
  const { access, route } = policy;
  switch (access.kind) {
    case "public":
      return;
    case "closed":
      log.error({ endpoint: route, problem: access.problem }, "an exposed endpoint is closed because of its tags");
      throw commonErrors.endpoint_closed({ internal: access.problem });
    case "self":
      if (caller === undefined) throw commonErrors.unauthenticated();
      // What is somebody's own are their sessions and organisations: a key or a machine has none.
      if (caller.kind !== "user") throw commonErrors.permission_denied({ internal: `a ${caller.kind} is no person` });
      return;
    case "caller":
      if (caller === undefined) throw commonErrors.unauthenticated();
      return;
    case "can": {
      if (caller === undefined) throw commonErrors.unauthenticated();
      // Staff are in no organisation: what they hold is not of one.
      if (!isPrincipal(caller) && caller.kind !== "operator") throw commonErrors.no_organisation();
      const missing = access.permissions.find((permission) => !can(caller, permission));
      if (missing === undefined) return;
      log.warn({ endpoint: route, permission: missing, actor: actorOf(caller) }, "permission denied");
      throw commonErrors.permission_denied({ internal: `${actorOf(caller)} lacks ${missing}` });
    }
  }
}
