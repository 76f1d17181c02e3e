// What a caller is told of a quota that is nearly used up: the fields RateLimit-Policy and RateLimit, in the syntax of
// draft-ietf-httpapi-ratelimit-headers-10 (lists of structured-field strings with parameters, RFC 9651). Of a refusal the
// edge tells the same, from the error's `details.limit`.
import type { Quota } from "./quota";

/** How a caller stands with one quota. */
export interface Standing {
  /** `policy.dimension`. */
  name: string;
  quota: Quota;
  left: number;
}

export const standingOf = (
  { policy, dimension, quota }: { policy: string; dimension: string; quota: Quota },
  left: number,
): Standing => ({ name: `${policy}.${dimension}`, quota, left });

export function rateLimitHeaders({ name, quota, left }: Standing): Record<string, string> {
  const { points, windowSeconds } = quota;
  return {
    "ratelimit-policy": `"${name}";q=${points};w=${windowSeconds}`,
    ratelimit: `"${name}";r=${Math.floor(left)};t=${resetSeconds(quota, left)}`,
  };
}

/** When the quota is whole again. */
function resetSeconds({ algorithm, points, windowSeconds }: Quota, left: number): number {
  return algorithm === "token-bucket" ? Math.ceil(((points - left) / points) * windowSeconds) : windowSeconds;
}
