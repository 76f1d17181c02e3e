// Roles that an organisation makes of permissions, beside the four that are built in. Nobody gives what they do not have:
// whoever makes or changes a role holds all that it holds, before and after, so neither widening a role nor narrowing one
// that is stronger than oneself is possible; what only an owner has is in no such role. A change reaches access tokens of
// whoever has the role within two seconds, by one revocation, and API keys as fast.
import { z } from "zod";
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { roleChanged, roleCreated, roleDeleted } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { commonErrors } from "../security/common-errors";
import { parseInput } from "../security/input";
import { isRole, rolePermissions, type MemberRole, type Permission } from "../security/permissions";
import { tenantIdFrom, type Principal } from "../security/principal";
import { lockActing } from "./acting-now";
import { assertHolds, assertHoldsStored, heldByRole } from "./authority";
import { errors } from "./errors";
import { chosenName } from "./normalised-name";
import { revokeRole } from "./revocations";
import {
  roleCount,
  roleDelete,
  roleFind,
  roleInsert,
  roleIsHeld,
  roleIsNameTaken,
  roleUpdate,
  type RoleRow,
} from "./store/roles";

export const ROLES_PER_ORGANISATION_MAX = 50;

const facts = { name: "plain", permissions: "plain" } as const;
const created = defineAction("auth.role.created", facts);
const changed = defineAction("auth.role.changed", { ...facts, previousPermissions: "plain" });
const deleted = defineAction("auth.role.deleted", facts);

/** A role as members and invitations have it: a built-in one, or one that the organisation made. */
export interface GivenRole {
  role: MemberRole;
  roleId: string | null;
}

export interface Role {
  id: string;
  name: string;
  permissions: string[];
}

const about = ({ tenantId }: Principal, id: string): Parameters<typeof emit>[3] => ({
  aggregateType: "role",
  aggregateId: id,
  tenantId,
});
const target = (id: string): { type: string; id: string } => ({ type: "role", id });

/** @throws APIError invalid_request, permission_denied, role_exists, too_many_roles. */
export async function createRole(
  principal: Principal,
  input: { name: string; permissions: readonly string[] },
): Promise<Role> {
  const { name } = parseInput(z.object({ name: chosenName }), { name: input.name });
  const permissions = permissionsIn(input.permissions);
  const { tenantId } = principal;
  const id = newId();
  await withSystem("create-role", async (tx) => {
    assertHolds(await lockActing(tx, principal, "role.manage"), permissions);
    if ((await roleCount(tx, tenantId)) >= ROLES_PER_ORGANISATION_MAX) throw errors.too_many_roles();
    await assertNameFree(tx, { tenantId, id, name });
    await roleInsert(tx, { id, tenantId, name, permissions });
    const payload = { roleId: id, organisationId: tenantId, name, permissions };
    await emit(tx, roleCreated, payload, about(principal, id));
    await record(tx, created, { tenantId, target: target(id), fields: { name, permissions: permissions.join(" ") } });
  });
  return { id, name, permissions };
}

function permissionsIn(wanted: readonly string[]): Permission[] {
  const invalid = (problem: string): Error => commonErrors.invalid_request({ fields: { permissions: problem } });
  const known: readonly string[] = rolePermissions;
  if (wanted.some((name) => !known.includes(name)))
    throw invalid("names one that does not exist, or that only an owner has: docs/permissions.md lists the others");
  if (wanted.length === 0) throw invalid("is empty");
  return rolePermissions.filter((permission) => wanted.includes(permission));
}

async function assertNameFree(tx: Tx, of: { tenantId: string; id: string; name: string }): Promise<void> {
  const lower = of.name.toLowerCase();
  if (isRole(lower) || lower === "custom" || (await roleIsNameTaken(tx, of))) throw errors.role_exists();
}

/** Throws as createRole, and role_not_found. */
export async function changeRole(
  principal: Principal,
  id: string,
  change: { name?: string | undefined; permissions?: readonly string[] | undefined },
): Promise<Role> {
  const wanted = parseInput(z.object({ name: chosenName.optional() }), { name: change.name });
  const { tenantId } = principal;
  return withSystem("change-made-role", async (tx) => {
    const { held, role } = await roleToChange(tx, principal, id);
    const name = wanted.name ?? role.name;
    const given = change.permissions && permissionsIn(change.permissions);
    if (given !== undefined) assertHolds(held, given);
    const permissions = given ?? role.permissions;
    await assertNameFree(tx, { tenantId, id, name });
    const belowRevision = await roleUpdate(tx, { tenantId, id, name, permissions });
    await revokeRole(tx, id, belowRevision);
    const payload = { roleId: id, organisationId: tenantId, name, permissions };
    await emit(tx, roleChanged, payload, about(principal, id));
    const previousPermissions = role.permissions.join(" ");
    const fields = { name, permissions: permissions.join(" "), previousPermissions };
    await record(tx, changed, { tenantId, target: target(id), fields });
    return { id, name, permissions };
  });
}

/** @throws APIError role_not_found, permission_denied; role_in_use while somebody has it, or is invited to it. */
export async function deleteRole(principal: Principal, id: string): Promise<void> {
  const { tenantId } = principal;
  await withSystem("delete-role", async (tx) => {
    const { role } = await roleToChange(tx, principal, id);
    if (await roleIsHeld(tx, { tenantId, id })) throw errors.role_in_use();
    await roleDelete(tx, { tenantId, id });
    await emit(tx, roleDeleted, { roleId: id, organisationId: tenantId }, about(principal, id));
    const fields = { name: role.name, permissions: role.permissions.join(" ") };
    await record(tx, deleted, { tenantId: tenantIdFrom(tenantId), target: target(id), fields });
  });
}

async function roleToChange(
  tx: Tx,
  principal: Principal,
  id: string,
): Promise<{ held: ReadonlySet<Permission>; role: RoleRow }> {
  const held = await lockActing(tx, principal, "role.manage");
  const role = await roleFind(tx, { tenantId: principal.tenantId, id });
  if (role === undefined) throw errors.role_not_found();
  assertHoldsStored(held, role.permissions);
  return { held, role };
}

/** What a request names: `roleId` belongs to "custom" and to nothing else. @throws APIError invalid_request. */
export function givenRole({ role, roleId }: { role: MemberRole; roleId?: string | undefined }): GivenRole {
  if ((role === "custom") !== (roleId !== undefined))
    throw commonErrors.invalid_request({ fields: { roleId: "is given with the role custom, and with no other" } });
  return { role, roleId: roleId ?? null };
}

/** What a role holds now, true under membershipLock. @throws APIError role_not_found, also for one of another organisation. */
export async function heldByGiven(
  tx: Tx,
  tenantId: string,
  { role, roleId }: GivenRole,
): Promise<ReadonlySet<Permission>> {
  if (roleId === null) return heldByRole({ role, rolePermissions: null });
  const made = await roleFind(tx, { tenantId, id: roleId });
  if (made === undefined) throw errors.role_not_found();
  return heldByRole({ role, rolePermissions: made.permissions });
}
