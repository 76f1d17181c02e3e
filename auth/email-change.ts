// Changing an account's address. States: asked for (a fresh session) → confirmed by the link to the new address → taken back
// by the link to the old one, for a week. Asking answers the same whether or not the new address is somebody's. The way
// back belongs to the first old address, if it was verified: neither another change, nor a password, nor somebody who
// registers the old address takes it away, because whoever stole the account could do all of that. It gives the account back as
// it was a week before the first change: whoever steals one prepares it before they move it. Sign-ins and the password, which may
// be known, end; whatever was added since then and signs in or acts is removed, and the answer and the log say what: accounts
// elsewhere, passkeys, codes of an app, recovery codes, API keys that were made or rotated. Older second factors stay, because an
// old mailbox may have a new owner; where all were replaced since, one of those that took their place stays (factors/enrolment.ts).
// Until it ends, notices of such changes go to the old address too (jobs.ts). The address that is lost is told what was removed.
// (OWASP Authentication Cheat Sheet, "Changing A User's Registered Email Address"; ASVS 5.0 V6.3.7.)
import { defineAction } from "../audit/action";
import type { AuditFacts } from "../audit/record";
import { withSystem, type Tx } from "../db/tenant";
import { emailChanged, emailReverted } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { requireMail } from "../mail/mailer";
import type { Caller } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { recordOfAccount } from "./account-log";
import { countMail } from "./attempts";
import { removeShutKeys } from "./api-keys";
import { forgetSince, type ForgottenCredentials } from "./credentials";
import { requireEmail } from "./email";
import { assertMayMove, organisationLeftBy } from "./entrance";
import { errors } from "./errors";
import { requestMail } from "./jobs";
import { movingAccount } from "./mail-standing";
import { endMembership } from "./organisation-life";
import { createOneTimeToken, hashOneTimeToken } from "./one-time-token";
import { tellRestored } from "./account-deletion";
import { assertSessionLives } from "./session-end";
import { accountIsClosing } from "./store/account-life";
import {
  accountFindForUpdate,
  accountGiveBackEmail,
  accountLock,
  accountSetEmail,
  type AccountRow,
} from "./store/accounts";
import { membershipFind, membershipLock } from "./store/memberships";
import { oneTimeTokenFind, oneTimeTokenHold, oneTimeTokenLook, oneTimeTokenTake } from "./store/one-time-tokens";

const CONFIRM_SECONDS = 86_400;
export const REVERT_SECONDS = 7 * 86_400;

/** What was added so long before the first change is removed with what came after it. Also in the mail (mail-texts.ts). */
export const PREPARED_DAYS = 7;
/** As long as the mail to the address that the account lost may take. */
const TELL_LOSER_SECONDS = 86_400;
/** Of the ids of each kind in one entry of the log; each has an entry of its own too. */
const NAMED_MAX = 20;

const changed = defineAction("auth.email.changed", {});
const reverted = defineAction("auth.email.reverted", {
  since: "plain",
  sessions: "plain",
  totp: "plain",
  recoveryCodes: "plain",
  passkeys: "plain",
  identities: "plain",
  apiKeys: "plain",
  apiKeysInAll: "plain",
});

/** Mails a link to the new address. @throws APIError invalid_request, invalid_token, rate_limited, mail_not_configured, provider_required. */
export async function changeEmail(caller: Caller, address: string): Promise<void> {
  requireMail();
  const email = requireEmail(address);
  const accountId = caller.subjectId;
  await countMail(email, await movingAccount(accountId));
  await withSystem("change-email", async (tx) => {
    const account = await accountFindForUpdate(tx, accountId);
    if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
    await assertSessionLives(tx, caller);
    await assertMayMove(tx, { accountId, from: account.email, to: email });
    // The job that mails it makes the token; until then nobody has one that fits.
    const { hash } = createOneTimeToken();
    const held = { accountId, purpose: "change-email", hash, email, lifetimeSeconds: CONFIRM_SECONDS } as const;
    await oneTimeTokenHold(tx, held, "replace");
    await requestMail(tx, { kind: "change-email", accountId });
  });
}

/** Uses up the link to the new address; the old one, if it was verified, is told and can take it back. @throws APIError link_invalid, provider_required. */
export async function confirmEmailChange(token: string): Promise<void> {
  const hash = hashOneTimeToken(token);
  const found = await oneTimeTokenFind("change-email", hash);
  if (found === undefined) throw errors.link_invalid();
  await onBehalfOf(`user:${found.accountId}`, () =>
    withSystem("confirm-email-change", async (tx) => {
      const account = await accountFindForUpdate(tx, found.accountId);
      const taken = await oneTimeTokenTake(tx, "change-email", hash);
      if (taken === undefined || account === undefined) throw errors.link_invalid();
      const { accountId: id, email } = taken;
      await assertMayMove(tx, { accountId: id, from: account.email, to: email });
      const moving = { id, from: account.email, email };
      if (!(await accountSetEmail(tx, moving))) throw errors.link_invalid({ internal: "the address is taken" });
      if (account.isVerified) await openWayBack(tx, account);
      await emit(tx, emailChanged, { userId: id }, { aggregateType: "user", aggregateId: id, tenantId: null });
      await recordOfAccount(tx, { accountId: id, tenantId: null }, changed, {});
    }),
  );
}

/**
 * For an address that was verified, and no other: whose it is may never have had the account, and by following the link they
 * would take it over, as verified, with all that whoever registered their address has put into it (see credentials.ts).
 */
async function openWayBack(tx: Tx, { id: accountId, email }: AccountRow): Promise<void> {
  const { hash } = createOneTimeToken();
  const back = { accountId, purpose: "revert-email", hash, email, lifetimeSeconds: REVERT_SECONDS } as const;
  await oneTimeTokenHold(tx, back, "keep");
  await requestMail(tx, { kind: "revert-email", accountId });
}

/**
 * Gives the account its first address back, by the link mailed there. It is not refused to an account that gets into an
 * organisation by the provider of the domain that it leaves, because the link is for who was robbed; but the account leaves
 * that organisation, or it would be a guest there whom no provider vouches for. It is shut to the thief first, in one transaction;
 * what is left of the API keys goes in short ones behind it, and the link last, so whoever is cut off follows it again. Resolves with what was removed, and since when
 * what was added counts as a thief's. @throws APIError link_invalid.
 */
export async function revertEmailChange(token: string): Promise<Reverted> {
  const hash = hashOneTimeToken(token);
  const found = await oneTimeTokenFind("revert-email", hash);
  if (found === undefined) throw errors.link_invalid();
  const way: WayBack = { hash, id: found.accountId, email: found.email };
  return onBehalfOf(`user:${found.accountId}`, async () => {
    const done = await withSystem("revert-email", (tx) => shut(tx, way));
    while (!(await withSystem("revert-email", (tx) => removeShutKeys(tx, way.id, done.since))));
    await withSystem("revert-email", (tx) => finish(tx, way, done));
    return done;
  });
}

interface WayBack {
  hash: Buffer;
  /** Of the account. */
  id: string;
  email: string;
}

/** From its commit on nothing that was added opens the account or acts for it. The link stays, for who is cut off before all is done. */
async function shut(tx: Tx, { hash, id, email }: WayBack): Promise<Reverted> {
  const account = await accountFindForUpdate(tx, id);
  const changedAt = await oneTimeTokenLook(tx, "revert-email", hash);
  if (changedAt === undefined) throw errors.link_invalid();
  if (account === undefined) throw errors.link_invalid({ internal: "the account is gone" });
  // Whoever stole the account may have deleted it, and the way back from that went to their address.
  const isClosing = await accountIsClosing(tx, id);
  await accountGiveBackEmail(tx, { id, from: account.email, email });
  await leaveRequired(tx, { accountId: id, from: account.email, to: email });
  const since = new Date(changedAt.getTime() - PREPARED_DAYS * 86_400_000);
  const removed = await forgetSince(tx, id, since, "claimed");
  if (isClosing) await tellRestored(tx, id);
  if (account.email !== email) await tellLoser(tx, account, removed);
  return { since, removed };
}

/** Uses the link up. @throws APIError link_invalid, when somebody else did. */
async function finish(tx: Tx, { hash, id }: WayBack, { since, removed }: Reverted): Promise<void> {
  await accountLock(tx, id);
  if ((await oneTimeTokenTake(tx, "revert-email", hash)) === undefined) throw errors.link_invalid();
  await emit(tx, emailReverted, { userId: id }, { aggregateType: "user", aggregateId: id, tenantId: null });
  await recordOfAccount(tx, { accountId: id, tenantId: null }, reverted, entryOf(since, removed));
}

/** Whoever reads the old mailbox may not be whose account it is: the address that loses it is told too, and what is gone. */
async function tellLoser(tx: Tx, { id: accountId, email }: AccountRow, removed: ForgottenCredentials): Promise<void> {
  const { hash } = createOneTimeToken();
  const held = { accountId, purpose: "email-reverted", hash, email, lifetimeSeconds: TELL_LOSER_SECONDS } as const;
  await oneTimeTokenHold(tx, held, "replace");
  const { totp, recoveryCodes, passkeys, identities, apiKeys } = removed;
  const counts = { passkeys: passkeys.length, identities: identities.length, apiKeys: apiKeys.length };
  await requestMail(tx, { kind: "email-reverted", accountId, removed: { totp, recoveryCodes, ...counts } });
}

export interface Reverted {
  since: Date;
  removed: ForgottenCredentials;
}

const named = (things: readonly { id: string }[]): string =>
  things
    .slice(0, NAMED_MAX)
    .map(({ id }) => id)
    .join(" ");

const entryOf = (
  since: Date,
  { sessions, totp, recoveryCodes, passkeys, identities, apiKeys }: ForgottenCredentials,
): AuditFacts<(typeof reverted)["fields"]>["fields"] => ({
  since: since.toISOString(),
  sessions,
  totp,
  recoveryCodes,
  passkeys: named(passkeys),
  identities: named(identities),
  apiKeys: named(apiKeys),
  apiKeysInAll: apiKeys.length,
});

async function leaveRequired(tx: Tx, moving: { accountId: string; from: string; to: string }): Promise<void> {
  const left = await organisationLeftBy(tx, moving);
  if (left === undefined) return;
  const member = { tenantId: left.tenantId, accountId: moving.accountId };
  await membershipLock(tx, member.tenantId);
  const present = await membershipFind(tx, member);
  if (present !== undefined && present.role !== "owner") await endMembership(tx, { ...present, ...member });
}
