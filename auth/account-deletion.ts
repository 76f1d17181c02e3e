// What becomes of an account that its owner deletes. States of one: live → closing → gone.
//   live      as usual
//   closing   nobody signs in to it; it has left every organisation that goes on without it, and those where it was alone
//             are closing too. The link mailed to its address makes it live again (POST /auth/account/restore)
//   gone      GRACE_DAYS later: upkeep removes it with all that belongs to it, erases what audit logs tell of its person, and
//             an event tells every service that holds something of them. Its address can be registered again
// An organisation with other members is never left without an owner: its last one hands it over or deletes it first.
// (GDPR art. 17; ASVS 5.0 V7.4.2.)
import { defineAction } from "../audit/action";
import { eraseAccount, eraseAddresses } from "../audit/erasure";
import { withSystem, type Tx } from "../db/tenant";
import { listed, type Position, type Things } from "../db/upkeep-walk";
import { userDeleted, userDeletionScheduled, userRestored } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { forgetMails } from "../mail/mailer";
import type { Caller } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { recordOfAccount } from "./account-log";
import { forgetApiKeys } from "./api-keys";
import { endEverySignIn } from "./credentials";
import { errors } from "./errors";
import { requestMail } from "./jobs";
import { hashOneTimeToken } from "./one-time-token";
import { closeOrganisation, endMembership, GRACE_DAYS } from "./organisation-life";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "./organisations";
import { lockLiving } from "./session-end";
import {
  accountClose,
  accountDelete,
  accountEarlierAddresses,
  accountListDue,
  accountReopen,
  membershipsHeld,
  type DueAccountRow,
  type HeldMembershipRow,
} from "./store/account-life";
import { accountLock } from "./store/accounts";
import { oneTimeTokenFind, oneTimeTokenTake } from "./store/one-time-tokens";

const about = (accountId: string): Parameters<typeof emit>[3] => ({
  aggregateType: "user",
  aggregateId: accountId,
  tenantId: null,
});

const scheduled = defineAction("auth.account.deletion_scheduled", { purgeAt: "plain" });
const restored = defineAction("auth.account.restored", {});

/** Closes the caller's account; resolves with when it goes for good. @throws APIError sole_owner, invalid_token. */
export async function deleteAccount(caller: Caller): Promise<Date> {
  const { subjectId: accountId } = caller;
  return withSystem("delete-account", async (tx) => {
    await lockLiving(tx, caller);
    const held = await membershipsHeld(tx, accountId, ORGANISATIONS_PER_ACCOUNT_MAX);
    assertOwnersLeft(held);
    for (const membership of held) await leave(tx, accountId, membership);
    const purgeAt = await accountClose(tx, accountId, GRACE_DAYS);
    await endEverySignIn(tx, accountId, "account_deleted");
    await requestMail(tx, { kind: "restore-account", accountId });
    const payload = { userId: accountId, purgeAt: purgeAt.toISOString() };
    await emit(tx, userDeletionScheduled, payload, about(accountId));
    await recordOfAccount(tx, { accountId, tenantId: null }, scheduled, { purgeAt: payload.purgeAt });
    return purgeAt;
  });
}

function assertOwnersLeft(held: readonly HeldMembershipRow[]): void {
  const stuck = held.filter(
    ({ role, isClosing, hasOthers, hasOtherOwner }) => role === "owner" && !isClosing && hasOthers && !hasOtherOwner,
  );
  if (stuck.length === 0) return;
  const [organisations, organisationIds] = [stuck.map(({ name }) => name), stuck.map(({ tenantId }) => tenantId)];
  throw errors.sole_owner({ facts: { organisations, organisationIds } });
}

/** One that nobody else could restore, or take part in, stays the account's while it closes. */
async function leave(tx: Tx, accountId: string, membership: HeldMembershipRow): Promise<void> {
  const { tenantId, role, isClosing, hasOthers, hasOtherOwner } = membership;
  if (isClosing && role === "owner" && !hasOtherOwner) return;
  if (!isClosing && !hasOthers) await closeOrganisation(tx, tenantId);
  else await endMembership(tx, { ...membership, accountId });
}

/** Takes the deletion back by the mailed link; signs nobody in. @throws APIError link_invalid. */
export async function restoreAccount(token: string): Promise<void> {
  const hash = hashOneTimeToken(token);
  const found = await oneTimeTokenFind("restore-account", hash);
  if (found === undefined) throw errors.link_invalid();
  const { accountId } = found;
  await onBehalfOf(`user:${accountId}`, () =>
    withSystem("restore-account", async (tx) => {
      await accountLock(tx, accountId);
      if ((await oneTimeTokenTake(tx, "restore-account", hash)) === undefined) throw errors.link_invalid();
      if (!(await accountReopen(tx, accountId))) throw errors.link_invalid({ internal: "not closing" });
      await tellRestored(tx, accountId);
    }),
  );
}

export async function tellRestored(tx: Tx, accountId: string): Promise<void> {
  await emit(tx, userRestored, { userId: accountId }, about(accountId));
  await recordOfAccount(tx, { accountId, tenantId: null }, restored, {});
}

/** Accounts whose grace is over, for removePassingOver. */
export const dueAccounts: Things<DueAccountRow & Position> = {
  list: async (tx, after, limit) => listed(await accountListDue(tx, after, limit), limit),
  remove: async (tx, accounts) => {
    let areGone = true;
    for (const account of accounts) areGone = (await removeAccount(tx, account)) && areGone;
    return areGone;
  },
};

/**
 * For good, with all that is its own and what logs tell of its person; false when logs tell so much that only a part of that is
 * erased by now. The caller has locked it.
 */
export async function removeAccount(tx: Tx, { id, email, isVerified }: DueAccountRow): Promise<boolean> {
  // By an address that nobody showed to be theirs, a stranger would erase what logs tell of its true owner.
  const shown = [...(isVerified ? [email] : []), ...(await accountEarlierAddresses(tx, id))];
  if (!(await eraseAddresses(tx, shown))) return false;
  await forgetApiKeys(tx, id);
  await accountDelete(tx, id);
  await forgetMails(tx, [...shown, email]);
  await eraseAccount(tx, id);
  // Of no tenant: it belonged to none any more.
  await emit(tx, userDeleted, { userId: id }, about(id));
  return true;
}
