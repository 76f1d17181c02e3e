// Inviting people into an organisation. States of an invitation: pending → accepted | revoked | replaced by a newer one for
// the same address | expired. Nobody invites above their own role, and an invitation counts only while who made it may
// still give its role: whoever is removed or demoted leaves no door behind.
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { memberInvited, memberInvitationRevoked, memberJoined } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { requireMail } from "../mail/mailer";
import type { Permission } from "../security/permissions";
import { tenantIdFrom, type Caller, type Principal, type TenantId } from "../security/principal";
import { lockActing } from "./acting-now";
import { forgetApiKeysIn } from "./api-keys";
import { countMail } from "./attempts";
import { assertHolds, heldOf } from "./authority";
import { requireEmail } from "./email";
import { errors } from "./errors";
import { requestMail } from "./jobs";
import { invitingTo } from "./mail-standing";
import { heldByGiven, type GivenRole } from "./roles";
import { hashOneTimeToken } from "./one-time-token";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "./organisations";
import { lockLiving } from "./session-end";
import { accountFind, accountFindForUpdate, accountSetVerified, type OrganisationRow } from "./store/accounts";
import {
  invitationCountOthers,
  invitationFindByEmail,
  invitationDelete,
  invitationDeleteAll,
  invitationFind,
  invitationPut,
  invitationTake,
  type PresentedInvitationRow,
} from "./store/invitations";
import {
  membershipCountOfAccount,
  membershipFind,
  membershipFindByEmail,
  membershipInsert,
  membershipLock,
} from "./store/memberships";

export const INVITATIONS_PER_ORGANISATION_MAX = 200;
const LIFETIME_SECONDS = 7 * 86_400;

const invited = defineAction("auth.member.invited", { role: "plain", email: "personal" });
const revoked = defineAction("auth.invitation.revoked", { role: "plain", email: "personal" });
const joined = defineAction("auth.member.joined", { role: "plain", invitation: "plain", email: "personal" });

export interface Invitation extends GivenRole {
  id: string;
  email: string;
  expiresAt: Date;
}

/**
 * Mails an invitation; again for the same address replaces the one before. That the address is registered shows only
 * when it belongs to a member, which the members' list tells anyhow.
 * @throws APIError invalid_request, permission_denied, already_member, too_many_invitations, rate_limited, mail_not_configured.
 */
export async function inviteMember(principal: Principal, input: { email: string } & GivenRole): Promise<Invitation> {
  requireMail();
  const email = requireEmail(input.email);
  const { tenantId, subjectId } = principal;
  const { role, roleId } = input;
  const made = roleId === null ? {} : { roleId };
  await countMail(email, await invitingTo(email, principal));
  const id = newId();
  const { expiresAt } = await withSystem("invite-member", async (tx) => {
    const held = await lockActing(tx, principal, "member.manage");
    await assertMayGive(tx, tenantId, held, input);
    if (await membershipFindByEmail(tx, tenantId, email)) throw errors.already_member();
    if ((await invitationCountOthers(tx, tenantId, email)) >= INVITATIONS_PER_ORGANISATION_MAX)
      throw errors.too_many_invitations();
    // The one of before ends: whoever may not take that back does not put another in its place.
    const before = await invitationFindByEmail(tx, tenantId, email);
    if (before !== undefined) await assertMayGive(tx, tenantId, held, before);
    const invitation = { id, tenantId, email, role, roleId, invitedBy: subjectId, lifetimeSeconds: LIFETIME_SECONDS };
    const stored = await invitationPut(tx, invitation);
    if (before !== undefined) await tellRevoked(tx, tenantId, { ...before, email });
    await requestMail(tx, { kind: "invitation", invitationId: id }, tenantId);
    const payload = { organisationId: tenantId, invitationId: id, role, ...made, invitedBy: subjectId };
    await emit(tx, memberInvited, payload, { aggregateType: "invitation", aggregateId: id, tenantId });
    await record(tx, invited, { tenantId, target: { type: "invitation", id }, fields: { role, email } });
    return stored;
  });
  return { id, email, role, roleId, expiresAt };
}

/** Nobody invites to what they do not hold. */
async function assertMayGive(
  tx: Tx,
  tenantId: TenantId,
  held: ReadonlySet<Permission>,
  given: GivenRole,
): Promise<void> {
  assertHolds(held, await heldByGiven(tx, tenantId, given));
}

/** @throws APIError invitation_not_found, also for one of another organisation; permission_denied for one above the caller's role. */
export async function revokeInvitation(principal: Principal, id: string): Promise<void> {
  const { tenantId } = principal;
  await withSystem("revoke-invitation", async (tx) => {
    const held = await lockActing(tx, principal, "member.manage");
    const gone = await invitationDelete(tx, { tenantId, id });
    if (gone === undefined) throw errors.invitation_not_found();
    await assertMayGive(tx, tenantId, held, gone);
    await tellRevoked(tx, tenantId, { id, ...gone });
  });
}

/** Takes back all of an organisation. The caller holds membershipLock. */
export async function revokeInvitations(tx: Tx, tenant: string): Promise<void> {
  const tenantId = tenantIdFrom(tenant);
  for (const gone of await invitationDeleteAll(tx, tenantId)) await tellRevoked(tx, tenantId, gone);
}

async function tellRevoked(
  tx: Tx,
  tenantId: TenantId,
  { id, role, email }: Pick<PresentedInvitationRow, "id" | "role" | "email">,
): Promise<void> {
  const payload = { organisationId: tenantId, invitationId: id };
  await emit(tx, memberInvitationRevoked, payload, { aggregateType: "invitation", aggregateId: id, tenantId });
  await record(tx, revoked, { tenantId, target: { type: "invitation", id }, fields: { role, email } });
}

/**
 * Makes the caller a member. The account's address must be the invited one; whoever brings the token reads its mails, so
 * it is verified by that. @throws APIError invitation_not_found (whatever is wrong with it), too_many_organisations;
 * invalid_token when the caller's session is over.
 */
export async function acceptInvitation(caller: Caller, token: string): Promise<OrganisationRow> {
  const { subjectId: accountId } = caller;
  const account = await accountFind(accountId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  const found = await findInvitation(token, account.email);
  return withSystem("accept-invitation", async (tx) => {
    await lockLiving(tx, caller);
    // Read again: the address may have changed before the lock.
    const email = (await accountFindForUpdate(tx, accountId))?.email ?? "";
    return joinByInvitation(tx, { accountId, email, token, tenantId: found.tenantId });
  });
}

/** The live invitation of a token, if it is for this address. @throws APIError invitation_not_found. */
export async function findInvitation(token: string, email: string): Promise<PresentedInvitationRow> {
  const found = await invitationFind(hashOneTimeToken(token));
  if (found === undefined || found.email !== email) throw errors.invitation_not_found();
  return found;
}

/** Uses the invitation up. The caller holds the account's lock, or has just made the account. Throws as acceptInvitation. */
export async function joinByInvitation(
  tx: Tx,
  { accountId, email, token, tenantId: tenant }: { accountId: string; email: string; token: string; tenantId: string },
): Promise<OrganisationRow> {
  // In the order in which every change of members takes its locks: the organisation, then what belongs to it.
  await membershipLock(tx, tenant);
  const taken = await invitationTake(tx, hashOneTimeToken(token));
  if (taken === undefined || taken.email !== email) throw errors.invitation_not_found();
  const { id: invitationId, role, roleId, invitedBy } = taken;
  const tenantId = tenantIdFrom(taken.tenantId);
  const held = await heldOf(tx, { tenantId, accountId: invitedBy });
  const given = await heldByGiven(tx, tenantId, taken);
  if (![...given].every((permission) => held.has(permission)))
    throw errors.invitation_not_found({ internal: "who invited may not do so any more" });
  const present = await membershipFind(tx, { tenantId, accountId });
  if (present !== undefined) return present;
  if ((await membershipCountOfAccount(tx, accountId)) >= ORGANISATIONS_PER_ACCOUNT_MAX)
    throw errors.too_many_organisations();
  // Of a membership that a version before ended, which left them.
  await forgetApiKeysIn(tx, { tenantId, accountId });
  await membershipInsert(tx, { tenantId, accountId, role, roleId, createdAt: new Date() });
  await accountSetVerified(tx, { id: accountId, email });
  const made = roleId === null ? {} : { roleId };
  const payload = { organisationId: tenantId, userId: accountId, role, ...made, invitationId };
  await emit(tx, memberJoined, payload, {
    aggregateType: "member",
    aggregateId: `${tenantId}/${accountId}`,
    tenantId,
  });
  const fields = { role, invitation: invitationId, email };
  await record(tx, joined, { tenantId, target: { type: "account", id: accountId }, fields });
  const membership = await membershipFind(tx, { tenantId, accountId });
  if (membership === undefined) throw new Error("no membership after joining");
  return membership;
}
