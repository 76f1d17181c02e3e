// What becomes of an organisation: renamed, left, handed over, deleted. States of one: live → closing → gone.
//   live      as usual
//   closing   deleted by an owner: nobody signs in to it, its keys are refused, access tokens end within two seconds; an owner
//             of it can restore it, after which it is as before
//   gone      GRACE_DAYS later: upkeep removes it with its memberships, keys and invitations, and an event tells every service
//             that holds something of it
import { defineAction } from "../audit/action";
import { endLog } from "../audit/erasure";
import { record } from "../audit/record";
import { withSystem, type Tx } from "../db/tenant";
import { listed, type Position, type Things } from "../db/upkeep-walk";
import {
  memberRemoved,
  organisationClosing,
  organisationDeleted,
  organisationRenamed,
  organisationRestored,
} from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { z } from "zod";
import { commonErrors } from "../security/common-errors";
import { parseInput } from "../security/input";
import { assertOwnProof } from "../security/own-proof";
import { tenantIdFrom, type Caller, type Principal } from "../security/principal";
import { lockActing } from "./acting-now";
import { forgetApiKeysIn } from "./api-keys";
import { errors } from "./errors";
import { assertAnotherOwner, giveRole } from "./members";
import { chosenName } from "./normalised-name";
import { revokeMembership, revokeOrganisation } from "./revocations";
import { lockLiving } from "./session-end";
import type { OrganisationRow } from "./store/accounts";
import {
  membershipDelete,
  membershipExists,
  membershipFind,
  membershipIsOwnerOfClosing,
  membershipLock,
} from "./store/memberships";
import {
  organisationClose,
  organisationDelete,
  organisationEmpty,
  organisationListDue,
  organisationRead,
  organisationRename,
  organisationReopen,
  organisationRevise,
} from "./store/organisations";

export const GRACE_DAYS = 30;

const renamed = defineAction("auth.organisation.renamed", { name: "plain", previousName: "plain" });
const closing = defineAction("auth.organisation.deletion_scheduled", { purgeAt: "plain" });
const restored = defineAction("auth.organisation.restored", {});
const left = defineAction("auth.member.left", { role: "plain" });

const about = (tenantId: string): Parameters<typeof emit>[3] => ({
  aggregateType: "organisation",
  aggregateId: tenantId,
  tenantId: tenantIdFrom(tenantId),
});
const target = (id: string): { type: string; id: string } => ({ type: "organisation", id });

/** Before the lock: strangers must neither hold up an organisation's own people nor learn by the time that there is one. */
async function assertMember(tx: Tx, membership: { tenantId: string; accountId: string }): Promise<void> {
  if (!(await membershipExists(tx, membership))) throw errors.organisation_not_found();
}

/** The caller's organisation, if it is this one: any other is answered as one that does not exist. */
function assertOwn({ tenantId }: Principal, id: string): void {
  if (id !== tenantId) throw errors.organisation_not_found();
}

/** @throws APIError organisation_not_found for any but the caller's present one. */
export async function readOrganisation(principal: Principal, id: string): Promise<{ name: string; createdAt: Date }> {
  assertOwn(principal, id);
  const found = await organisationRead(principal);
  if (found === undefined) throw errors.organisation_not_found();
  return found;
}

/** Throws as readOrganisation, and invalid_request, invalid_token, permission_denied. */
export async function renameOrganisation(principal: Principal, id: string, wanted: string): Promise<string> {
  assertOwn(principal, id);
  const { name } = parseInput(z.object({ name: chosenName }), { name: wanted });
  await withSystem("rename-organisation", async (tx) => {
    await lockActing(tx, principal, "organisation.update");
    const previousName = await organisationRename(tx, id, name);
    if (previousName === undefined) throw errors.organisation_not_found();
    if (previousName === name) return;
    await emit(tx, organisationRenamed, { organisationId: id, name }, about(id));
    await record(tx, renamed, { tenantId: principal.tenantId, target: target(id), fields: { name, previousName } });
  });
  return name;
}

/** The account stays. @throws APIError organisation_not_found; own_proof_required for another than the present one; last_owner: who is alone in it deletes it instead; invalid_token when the caller's session is over. */
export async function leaveOrganisation(caller: Caller, tenantId: string): Promise<void> {
  const { subjectId: accountId } = caller;
  if (tenantId !== caller.tenantId) assertOwnProof(caller);
  await withSystem("leave-organisation", async (tx) => {
    await assertMember(tx, { tenantId, accountId });
    await lockLiving(tx, caller);
    await membershipLock(tx, tenantId);
    const member = await membershipFind(tx, { tenantId, accountId });
    if (member === undefined) throw errors.organisation_not_found();
    if (member.role === "owner") await assertAnotherOwner(tx, tenantId);
    await endMembership(tx, { ...member, tenantId, accountId });
  });
}

/** Takes an account out of an organisation by its own will. The caller holds membershipLock, and knows that an owner is left. */
export async function endMembership(
  tx: Tx,
  member: { tenantId: string; accountId: string } & Pick<OrganisationRow, "role" | "revision">,
): Promise<void> {
  const { tenantId: tenant, accountId, role, revision } = member;
  const tenantId = tenantIdFrom(tenant);
  await forgetApiKeysIn(tx, { tenantId, accountId });
  await membershipDelete(tx, { tenantId, accountId });
  await revokeMembership(tx, { tenantId, accountId, belowRevision: revision + 1 });
  const aggregate = { aggregateType: "member", aggregateId: `${tenantId}/${accountId}` };
  await emit(tx, memberRemoved, { organisationId: tenantId, userId: accountId }, { ...aggregate, tenantId });
  await record(tx, left, { tenantId, target: { type: "account", id: accountId }, fields: { role } });
}

/** Makes a member an owner and the caller, an owner, an admin; both or neither. @throws APIError member_not_found, permission_denied. */
export async function transferOrganisation(principal: Principal, id: string, userId: string): Promise<void> {
  assertOwn(principal, id);
  if (userId === principal.subjectId) throw errors.member_not_found({ internal: "to oneself" });
  await withSystem("transfer-organisation", async (tx) => {
    const acting = { principal, held: await lockActing(tx, principal, "organisation.delete") };
    await giveRole(tx, acting, userId, { role: "owner", roleId: null });
    await giveRole(tx, acting, principal.subjectId, { role: "admin", roleId: null });
  });
}

/** Closes it; upkeep removes it when the grace is over. Throws as readOrganisation, and permission_denied. */
export async function deleteOrganisation(principal: Principal, id: string): Promise<Date> {
  assertOwn(principal, id);
  return withSystem("delete-organisation", async (tx) => {
    await lockActing(tx, principal, "organisation.delete");
    const acting = await membershipFind(tx, { tenantId: id, accountId: principal.subjectId });
    if (acting?.role !== "owner") throw commonErrors.permission_denied({ internal: "only an owner deletes it" });
    return closeOrganisation(tx, id);
  });
}

/** For who may: under membershipLock, a live one. Resolves with when its grace is over. */
export async function closeOrganisation(tx: Tx, id: string, graceDays = GRACE_DAYS): Promise<Date> {
  const purgeAt = await organisationClose(tx, id, graceDays);
  await endTokens(tx, id);
  const payload = { organisationId: id, purgeAt: purgeAt.toISOString() };
  await emit(tx, organisationClosing, payload, about(id));
  const fields = { purgeAt: payload.purgeAt };
  await record(tx, closing, { tenantId: tenantIdFrom(id), target: target(id), fields });
  return purgeAt;
}

/** A new revision, so that tokens of before are refused also after it is restored, and those of after it are not: one row, however many its members. */
export async function endTokens(tx: Tx, tenantId: string): Promise<void> {
  await revokeOrganisation(tx, tenantId, await organisationRevise(tx, tenantId));
}

/** Takes the deletion back while the grace lasts. @throws APIError organisation_not_found to all but its owners; invalid_token when the caller's session is over. */
export async function restoreOrganisation(caller: Caller, id: string): Promise<void> {
  const { subjectId: accountId } = caller;
  await withSystem("restore-organisation", async (tx) => {
    await assertMember(tx, { tenantId: id, accountId });
    await lockLiving(tx, caller);
    await membershipLock(tx, id);
    if (!(await membershipIsOwnerOfClosing(tx, { tenantId: id, accountId }))) throw errors.organisation_not_found();
    await organisationReopen(tx, id);
    await emit(tx, organisationRestored, { organisationId: id }, about(id));
    await record(tx, restored, { tenantId: tenantIdFrom(id), target: target(id), fields: {} });
  });
}

/** Of each kind of row that an organisation may have any number of, in one transaction. */
const EMPTIED_MAX = 1_000;

/** Organisations whose grace is over, for removePassingOver: one of a hundred thousand members goes bit by bit. */
export const dueOrganisations: Things<Position> = {
  list: async (tx, after, limit) => listed(await organisationListDue(tx, after, limit), limit),
  remove: async (tx, organisations) => {
    const ids = organisations.map(({ id }) => id);
    if (!(await organisationEmpty(tx, ids, EMPTIED_MAX))) return false;
    await organisationDelete(tx, ids);
    for (const id of ids) {
      await endLog(tx, id);
      // Of no tenant: what is a tenant's goes with it.
      await emit(tx, organisationDeleted, { organisationId: id }, { ...about(id), tenantId: null });
    }
    return true;
  },
};
