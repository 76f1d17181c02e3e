// What an endpoint's tags declare, read once for each endpoint: who may call it, which limit counts, whether
// it is a probe. Tags that are missing, unknown or contradictory close the endpoint: deny by default.
import type { APIDesc } from "encore.dev";

import { httpSeries, type HttpSeries } from "../telemetry/metrics";
import { isLimitPolicy, type LimitPolicy } from "./limits";
import { isOperatorPermission, isPermission, type OperatorPermission, type Permission } from "./permissions";

export type Access =
  | { kind: "can"; permissions: readonly (Permission | OperatorPermission)[]; owns?: Ownership }
  /** A person who is signed in, for what is theirs, in an organisation or not. */
  | { kind: "self" }
  /** Whoever brings valid credentials: to learn who they are. */
  | { kind: "caller" }
  | { kind: "public"; reason: string }
  | { kind: "closed"; problem: string };

/** Only for who owns the thing that the path's `id` names, or may do it with everybody's. */
export interface Ownership {
  /** What it is: ownership.ts knows who says whose. */
  thing: string;
  /** Who holds this need not own it. */
  unless: Permission;
}

export interface EndpointPolicy {
  /** `service.endpoint`: the label of metrics and spans. */
  route: string;
  access: Access;
  /** Only for a person who has shown a moment ago who they are (admission.ts). */
  needsFresh: boolean;
  /** Only for a session that has shown something of the account's own (own-proof.ts). */
  needsOwnProof: boolean;
  /** null: not limited, for probes that a cluster sends. */
  limit: LimitPolicy | null;
  /** Points of the limit that a call costs. */
  cost: number;
  /** Whether a repeated Idempotency-Key gets the first answer again (idempotency.ts). */
  isIdempotent: boolean;
  /** Of a public endpoint that says itself how long its answers may be kept: of all others no cache keeps any. */
  isCacheable: boolean;
  /** Of an endpoint that speaks another protocol: how it refuses (refusal-forms.ts). */
  refusalForm: string | undefined;
  /** Probes are answered without span, metric or limit, so that they stay cheap and true under load. */
  isProbe: boolean;
  /** Where this endpoint's answers are counted. */
  seriesOf(method: string): HttpSeries;
}

const policies = new Map<string, Map<string, EndpointPolicy>>();

/** The policy of an endpoint, read from its tags the first time. */
export function findPolicy({
  service,
  endpoint,
  tags,
}: Pick<APIDesc, "service" | "endpoint" | "tags">): EndpointPolicy {
  let ofService = policies.get(service);
  if (ofService === undefined) policies.set(service, (ofService = new Map<string, EndpointPolicy>()));
  let policy = ofService.get(endpoint);
  if (policy === undefined) ofService.set(endpoint, (policy = readPolicy(service, endpoint, tags)));
  return policy;
}

/**
 * Reads `can:<resource>.<action>`, `self`, `caller`, `public:<reason>`, `owns:<thing>`, `fresh`, `own-proof`, `limit:<policy>`, `cost:<points>`,
 * `idempotent`, `cacheable`, `refuses:<form>`, `probe`; other tags belong to others, as `development` to the host and
 * `shows:<permission>`, by which an endpoint says what its answers show to holders alone. Several `can:` tags must all hold.
 */
export function readPolicy(service: string, endpoint: string, tags: readonly string[]): EndpointPolicy {
  const limit = readLimit(tags);
  const cost = readCost(tags);
  const access = accessOf(tags, limit, cost);
  const isProbe = tags.includes("probe") && access.kind === "public";
  const route = `${service}.${endpoint}`;
  const needsFresh = tags.includes("fresh");
  return {
    route,
    access,
    needsFresh,
    needsOwnProof: tags.includes("own-proof"),
    limit: isProbe ? null : (limit ?? "default"),
    cost: cost ?? 1,
    isIdempotent: tags.includes("idempotent"),
    isCacheable: tags.includes("cacheable") && access.kind === "public",
    refusalForm: tags.find((tag) => tag.startsWith("refuses:"))?.slice(8),
    isProbe,
    seriesOf: keptSeries(route),
  };
}

function accessOf(tags: readonly string[], limit: LimitPolicy | undefined, cost: number | undefined): Access {
  if (limit === undefined) return { kind: "closed", problem: "an unknown or repeated limit: tag" };
  if (cost === undefined)
    return { kind: "closed", problem: "a cost: tag that is no number from 1 to 1000, or a second one" };
  const access = readAccess(tags);
  if (tags.includes("own-proof") && access.kind !== "self" && access.kind !== "closed")
    return { kind: "closed", problem: "own-proof: without self" };
  return access.kind !== "public" && access.kind !== "closed" && tags.includes("cacheable")
    ? { kind: "closed", problem: "cacheable without public:, where an answer is somebody's own" }
    : access;
}

function keptSeries(route: string): (method: string) => HttpSeries {
  const kept = new Map<string, HttpSeries>();
  return (method) => {
    let series = kept.get(method);
    if (series === undefined) kept.set(method, (series = httpSeries(method, route)));
    return series;
  };
}

function readAccess(tags: readonly string[]): Access {
  const needed = tags.filter((tag) => tag.startsWith("can:")).map((tag) => tag.slice(4));
  const reasons = tags.filter((tag) => tag.startsWith("public:")).map((tag) => tag.slice(7));
  const isSelf = tags.includes("self");
  const isCaller = tags.includes("caller");
  const kinds = [needed.length > 0, isSelf, isCaller, reasons.length > 0].filter(Boolean).length;
  if (kinds === 0) return { kind: "closed", problem: "no can:, self, caller or public: tag" };
  if (kinds > 1) return { kind: "closed", problem: "more than one of can:, self, caller and public:" };
  // Only a person can be asked to show again who they are.
  if (tags.includes("fresh") && needed.length === 0 && !isSelf)
    return { kind: "closed", problem: "fresh: without can: or self" };
  const things = tags.filter((tag) => tag.startsWith("owns:")).map((tag) => tag.slice(5));
  if (things.length > 0 && (needed.length === 0 || things.length > 1))
    return { kind: "closed", problem: "owns: without can:, or a second one" };
  if (needed.length > 0) return readPermissions(needed, things[0]);
  const [reason] = reasons;
  // Keys belong to a caller, or strangers would get each other's answers.
  if (reason !== undefined && tags.includes("idempotent"))
    return { kind: "closed", problem: "idempotent with public:, where nobody is known to whom a key could belong" };
  if (reason === undefined) return { kind: isSelf ? "self" : "caller" };
  return reason.trim() === "" ? { kind: "closed", problem: "public: without a reason" } : { kind: "public", reason };
}

function readPermissions(needed: readonly string[], thing: string | undefined): Access {
  const permissions = needed.filter((name) => isPermission(name) || isOperatorPermission(name));
  const unknown = needed.filter((name) => !isPermission(name) && !isOperatorPermission(name));
  if (unknown.length > 0) return { kind: "closed", problem: `unknown permission ${unknown.join(", ")}` };
  if (thing === undefined) return { kind: "can", permissions };
  const unless = `${thing}.manage`;
  if (!isPermission(unless)) return { kind: "closed", problem: `owns:${thing} without a permission ${unless}` };
  return { kind: "can", permissions, owns: { thing, unless } };
}

/** undefined when the tag is not usable. */
function readLimit(tags: readonly string[]): LimitPolicy | undefined {
  const named = tags.filter((tag) => tag.startsWith("limit:")).map((tag) => tag.slice(6));
  const [only] = named;
  if (only === undefined) return "default";
  return named.length === 1 && isLimitPolicy(only) ? only : undefined;
}

/** undefined when the tag is not usable. */
function readCost(tags: readonly string[]): number | undefined {
  const named = tags.filter((tag) => tag.startsWith("cost:")).map((tag) => tag.slice(5));
  const [only] = named;
  if (only === undefined) return 1;
  const cost = Number(only);
  return named.length === 1 && Number.isInteger(cost) && cost >= 1 && cost <= 1000 ? cost : undefined;
}
