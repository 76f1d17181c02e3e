// The members of an organisation. Changes of one organisation's members happen one after the other, so that two owners
// who demote each other at once do not leave it without one. Nobody gives what they do not have: whoever
// changes or removes a member holds all that the member holds, before and after, judged by the database now: so only an
// owner makes, changes or removes an owner.
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { withSystem, type Tx } from "../db/tenant";
import { memberRemoved, memberRoleChanged } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import type { Permission } from "../security/permissions";
import type { Principal } from "../security/principal";
import { lockActing } from "./acting-now";
import { forgetApiKeysIn } from "./api-keys";
import { assertHolds, heldByRole } from "./authority";
import { errors } from "./errors";
import { revokeMembership } from "./revocations";
import { heldByGiven, type GivenRole } from "./roles";
import type { OrganisationRow } from "./store/accounts";
import {
  membershipCountOwners,
  membershipDelete,
  membershipExists,
  membershipFind,
  membershipSetRole,
} from "./store/memberships";

const roleChanged = defineAction("auth.member.role_changed", {
  role: "plain",
  roleId: "plain",
  previousRole: "plain",
});
const removed = defineAction("auth.member.removed", { role: "plain" });

/** @throws APIError member_not_found, also for somebody of another organisation; role_not_found, permission_denied, last_owner. */
export async function changeMemberRole(principal: Principal, userId: string, given: GivenRole): Promise<void> {
  await withSystem("change-role", async (tx) => {
    const held = await lockActing(tx, principal, "member.manage");
    await giveRole(tx, { principal, held }, userId, given);
  });
}

/** Who changes members, and what lockActing says that they hold. */
interface Acting {
  principal: Principal;
  held: ReadonlySet<Permission>;
}

/** The same in the caller's transaction. */
export async function giveRole(tx: Tx, acting: Acting, userId: string, given: GivenRole): Promise<void> {
  const { role, roleId } = given;
  const { principal } = acting;
  const { tenantId } = principal;
  const member = await memberToChange(tx, acting, userId, given);
  if (member.role === role && member.roleId === roleId) return;
  if (member.role === "owner") await assertAnotherOwner(tx, tenantId);
  const belowRevision = await membershipSetRole(tx, { tenantId, accountId: userId, role, roleId });
  await revokeMembership(tx, { tenantId, accountId: userId, belowRevision });
  const made = roleId === null ? {} : { roleId };
  const payload = { organisationId: tenantId, userId, role, ...made, previousRole: member.role };
  await emit(tx, memberRoleChanged, payload, about(principal, userId));
  const fields = { role, roleId, previousRole: member.role };
  await record(tx, roleChanged, { tenantId, target: { type: "account", id: userId }, fields });
}

/** The account stays, and so do its sessions: they have no organisation until they choose another. Its keys here go. Throws as changeRole. */
export async function removeMember(principal: Principal, userId: string): Promise<void> {
  const { tenantId } = principal;
  await withSystem("remove-member", async (tx) => {
    // The accounts of members alone are locked: strangers hold up nobody.
    if (!(await membershipExists(tx, { tenantId, accountId: userId }))) throw errors.member_not_found();
    const held = await lockActing(tx, principal, "member.manage", [userId]);
    const member = await memberToChange(tx, { principal, held }, userId);
    if (member.role === "owner") await assertAnotherOwner(tx, tenantId);
    await forgetApiKeysIn(tx, { tenantId, accountId: userId });
    await membershipDelete(tx, { tenantId, accountId: userId });
    await revokeMembership(tx, { tenantId, accountId: userId, belowRevision: member.revision + 1 });
    await emit(tx, memberRemoved, { organisationId: tenantId, userId }, about(principal, userId));
    await record(tx, removed, { tenantId, target: { type: "account", id: userId }, fields: { role: member.role } });
  });
}

const about = ({ tenantId }: Principal, userId: string): Parameters<typeof emit>[3] => ({
  aggregateType: "member",
  aggregateId: `${tenantId}/${userId}`,
  tenantId,
});

async function memberToChange(
  tx: Tx,
  { principal: { tenantId }, held }: Acting,
  userId: string,
  given?: GivenRole,
): Promise<OrganisationRow> {
  const member = await membershipFind(tx, { tenantId, accountId: userId });
  if (member === undefined) throw errors.member_not_found();
  assertHolds(held, heldByRole(member));
  if (given !== undefined) assertHolds(held, await heldByGiven(tx, tenantId, given));
  return member;
}

/** @throws APIError last_owner. True only under membershipLock. */
export async function assertAnotherOwner(tx: Tx, tenantId: string): Promise<void> {
  if ((await membershipCountOwners(tx, tenantId)) < 2) throw errors.last_owner();
}
