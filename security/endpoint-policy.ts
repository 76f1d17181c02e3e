// What an endpoint's tags declare, read once for each endpoint: who may call it, which limit counts, whether
// it is a probe. Tags that are missing, unknown or contradictory close the endpoint: deny by default.
import { isLimitPolicy, type LimitPolicy } from "./limits";
import { isPermission, type Permission } from "./permissions";

export type Access =
  | { kind: "can"; permissions: readonly Permission[] }
  /** Anybody signed in, for what is theirs. */
  | { kind: "self" }
  | { kind: "public"; reason: string }
  | { kind: "closed"; problem: string };

export interface EndpointPolicy {
  /** `service.endpoint`: the label of metrics and spans. */
  route: string;
  access: Access;
  /** null: not limited, for probes that a cluster sends. */
  limit: LimitPolicy | null;
  /** Probes are answered without span, metric or limit, so that they stay cheap and true under load. */
  isProbe: boolean;
}

/**
 * Reads `can:<resource>.<action>`, `self`, `public:<reason>`, `limit:<policy>`, `probe`; other tags belong to others.
 * Several `can:` tags must all hold.
 */
export function readPolicy(service: string, endpoint: string, tags: readonly string[]): EndpointPolicy {
  const limit = readLimit(tags);
  const access: Access = limit === undefined ? { kind: "closed", problem: "an unknown or repeated limit: tag" } : readAccess(tags);
  const isProbe = tags.includes("probe") && access.kind === "public";
  return { route: `${service}.${endpoint}`, access, limit: isProbe ? null : (limit ?? "default"), isProbe };
}

function readAccess(tags: readonly string[]): Access {
  const needed = tags.filter((tag) => tag.startsWith("can:")).map((tag) => tag.slice(4));
  const reasons = tags.filter((tag) => tag.startsWith("public:")).map((tag) => tag.slice(7));
  const kinds = Number(needed.length > 0) + Number(tags.includes("self")) + Number(reasons.length > 0);
  if (kinds === 0) return { kind: "closed", problem: "no can:, self or public: tag" };
  if (kinds > 1) return { kind: "closed", problem: "more than one of can:, self and public:" };
  if (needed.length > 0) return readPermissions(needed);
  const [reason] = reasons;
  if (reason === undefined) return { kind: "self" };
  return reason.trim() === "" ? { kind: "closed", problem: "public: without a reason" } : { kind: "public", reason };
}

function readPermissions(needed: readonly string[]): Access {
  const unknown = needed.filter((name) => !isPermission(name));
  if (unknown.length > 0) return { kind: "closed", problem: `unknown permission ${unknown.join(", ")}` };
  return { kind: "can", permissions: needed.filter(isPermission) };
}

/** undefined when the tag is not usable. */
function readLimit(tags: readonly string[]): LimitPolicy | undefined {
  const named = tags.filter((tag) => tag.startsWith("limit:")).map((tag) => tag.slice(6));
  const [only] = named;
  if (only === undefined) return "default";
  return named.length === 1 && isLimitPolicy(only) ? only : undefined;
}
