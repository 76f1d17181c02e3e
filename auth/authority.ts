// Nobody gives what they do not have: what a person may give is what they hold now, by the database, and not what their
// access token says, which may be two seconds behind. The same rule as Kubernetes' RBAC: who may write grants may still
// write only those that they hold (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping).
import { commonErrors } from "../security/common-errors";
import { isPermission, keyPermissions, permissionsOf, type Permission } from "../security/permissions";
import type { Principal } from "../security/principal";
import type { Tx } from "../db/tenant";
import type { OrganisationRow } from "./store/accounts";
import { membershipFind } from "./store/memberships";

const nothing: ReadonlySet<Permission> = new Set();

/** What a membership holds. */
export function heldByRole({
  role,
  rolePermissions,
}: Pick<OrganisationRow, "role" | "rolePermissions">): ReadonlySet<Permission> {
  return role === "custom" ? new Set(rolePermissions?.filter(isPermission)) : permissionsOf(role);
}

/** What the caller, a person, holds now; true until the transaction ends under membershipLock. */
export function heldNow(tx: Tx, { tenantId, subjectId }: Principal): Promise<ReadonlySet<Permission>> {
  return heldOf(tx, { tenantId, accountId: subjectId });
}

/** The same of any member; nothing, of who is none. */
export async function heldOf(
  tx: Tx,
  member: { tenantId: string; accountId: string },
): Promise<ReadonlySet<Permission>> {
  const membership = await membershipFind(tx, member);
  return membership === undefined ? nothing : heldByRole(membership);
}

/**
 * As assertHolds, of what is stored: a name that no version of the app knows any more, or this one does not know yet, gives nothing, and
 * must keep nobody from taking it away. @throws APIError permission_denied
 */
export const assertHoldsStored = (held: ReadonlySet<Permission>, given: readonly string[]): void =>
  assertHolds(held, given.filter(isPermission));

/** @throws APIError permission_denied when `given` has what the caller does not hold. */
export function assertHolds(held: ReadonlySet<Permission>, given: Iterable<string>): void {
  for (const name of given)
    if (!isPermission(name) || !held.has(name))
      throw commonErrors.permission_denied({ internal: `nobody gives what they do not have: ${name}` });
}

/**
 * What of `wanted` a key or machine may get from somebody who holds `held`; all of that when nothing is named. Rights over
 * people, keys and the organisation itself are for people: whoever steals a key must not be able to outlive it.
 * @throws APIError invalid_request.
 */
export function scopeFor(held: ReadonlySet<Permission>, wanted: readonly string[] | undefined): Permission[] {
  const unknown = wanted?.findIndex((name) => !isPermission(name)) ?? -1;
  if (unknown !== -1)
    throw commonErrors.invalid_request({
      fields: { [`permissions.${unknown}`]: "does not exist: GET /auth/me lists yours" },
    });
  const scope = keyPermissions.filter((permission) => held.has(permission) && (wanted?.includes(permission) ?? true));
  if (scope.length === 0)
    throw commonErrors.invalid_request({ fields: { permissions: "holds none that you may give to a key" } });
  return scope;
}
