// What the mails of accounts say. Pure. A link leads to a page of the app (`appUrl`), never to the host of a request:
// whoever asks for somebody's mail must not choose where its link leads.
import { hasControlCharacter } from "../security/control-characters";
import type { MemberRole } from "../security/permissions";

export interface MailText {
  subject: string;
  text: string;
}

/** Where links lead, and whether the mail stays on this machine, where there may be no page yet. */
export interface LinkSettings {
  appUrl: string;
  isMailbox: boolean;
}

/** A page of the app with the token in the fragment, which browsers keep to themselves. */
export const linkTo = (page: string, token: string, { appUrl }: LinkSettings): string =>
  `${appUrl.endsWith("/") ? appUrl.slice(0, -1) : appUrl}${page}#token=${token}`;

function withLink(
  { page, endpoint, token }: { page: string; endpoint: string; token: string },
  lines: readonly string[],
  settings: LinkSettings,
): string {
  const byHand = settings.isMailbox ? [`Without a page there: POST ${endpoint} {"token":"${token}"}`] : [];
  const [first = "", ...rest] = lines;
  return [first, linkTo(page, token, settings), ...rest, ...byHand].join("\n\n");
}

export const verifyEmailText = (token: string, settings: LinkSettings): MailText => ({
  subject: "Confirm your e-mail address",
  text: withLink(
    { page: "/verify-email", endpoint: "/auth/verify-email", token },
    [
      "Somebody registered with this address. If it was you, confirm that it is yours:",
      "The link works once, within 24 hours.",
      "If it was not you, do not follow it. To take over the account that was made with your address, ask for a new password: whoever made it is then out.",
    ],
    settings,
  ),
});

export const resetPasswordText = (token: string, settings: LinkSettings): MailText => ({
  subject: "Set a new password",
  text: withLink(
    { page: "/reset-password", endpoint: "/auth/password/reset", token },
    [
      "Somebody asked for a new password for the account with this address. If it was you, set one:",
      "The link works once, within an hour. Setting a password ends all sign-ins of the account.",
      "If it was not you, do nothing: your password stays as it is.",
    ],
    settings,
  ),
});

export const changeEmailText = (token: string, settings: LinkSettings): MailText => ({
  subject: "Confirm your new e-mail address",
  text: withLink(
    { page: "/change-email", endpoint: "/auth/email/confirm", token },
    [
      "Somebody asked that an account have this address from now on. If it was you, confirm it:",
      "The link works once, within 24 hours.",
      "If it was not you, do nothing: the account keeps the address it has.",
    ],
    settings,
  ),
});

export const revertEmailText = (token: string, settings: LinkSettings): MailText => ({
  subject: "Your e-mail address was changed",
  text: withLink(
    { page: "/revert-email", endpoint: "/auth/email/revert", token },
    [
      "Your account has another address now. If it was not you, take it back:",
      "The link works once, within a week. The account is then as it was a week before its address was first changed: all sign-ins end, and so does its password (set a new one then), and what was added since that day is removed: passkeys, codes of an app, linked accounts, API keys; recovery codes too, however old. You are told what it was. Second factors from before stay; if all of them were replaced since, one of the new ones stays, so that an account that asked for a second factor asks for one still.",
      "What was done in your organisations meanwhile stays: look at their members, service principals and log.",
      "If it was you, do nothing.",
    ],
    settings,
  ),
});

export interface RemovedCounts {
  totp: boolean;
  recoveryCodes: number;
  passkeys: number;
  identities: number;
  apiKeys: number;
}

/** To the address that the account lost: whoever reads the other one may not be whose account it is. */
export function emailRevertedText(removed: RemovedCounts): MailText {
  const { totp, recoveryCodes, passkeys, identities, apiKeys } = removed;
  const counted = { passkeys, "recovery codes": recoveryCodes, "linked accounts": identities, "API keys": apiKeys };
  const named = Object.entries(counted).flatMap(([what, count]) => (count > 0 ? [`${what} (${count})`] : []));
  const gone = [...(totp ? ["the codes of an app"] : []), ...named];
  return {
    subject: "Your account has its address of before again",
    text: `Somebody who reads the mails of the address that your account had before took it back there, by the link that was mailed when the address changed. This address is not the account's any more. All sign-ins and the password have ended. Removed besides: ${gone.length > 0 ? gone.join(", ") : "nothing"}.\n\nIf it was not you, somebody else reads that mailbox: make sure of it, ask for a new password there, and tell whoever runs this app at once.`,
  };
}

export const restoreAccountText = (token: string, settings: LinkSettings): MailText => ({
  subject: "Your account was deleted",
  text: withLink(
    { page: "/restore-account", endpoint: "/auth/account/restore", token },
    [
      "Your account was deleted, and nobody can sign in to it. To keep it, take it back:",
      "The link works once, within 30 days; then the account and all that belongs to it are removed for good. Organisations where you were alone can be restored afterwards; others would have to invite you again.",
      "If it was not you, take it back and set a new password at once.",
    ],
    settings,
  ),
});

/** What mail programs make a link of. */
const LEADS_AWAY = /[/@\\]|[\p{L}\p{N}]\.[\p{L}\p{N}]/u;

/** A name that somebody chose and strangers read: one that could lead them elsewhere is not repeated. */
const shownName = (name: string, instead: string): string =>
  hasControlCharacter(name) || LEADS_AWAY.test(name) ? instead : `“${name}”`;

export const invitationText = (
  token: string,
  { organisationName, role, madeRole }: { organisationName: string; role: MemberRole; madeRole: string | null },
  settings: LinkSettings,
): MailText => ({
  subject: "You are invited",
  text: withLink(
    { page: "/accept-invitation", endpoint: "/auth/invitations/accept", token },
    [
      `You are invited to ${shownName(organisationName, "an organisation")}, as ${madeRole === null ? role : shownName(madeRole, "a role of theirs")}. Sign in or register with this address to accept:`,
      "The link works once, within a week.",
      "If you don't know who invites you, do nothing.",
    ],
    settings,
  ),
});

export const stepUpText = (code: string): MailText => ({
  subject: "Your code",
  text: `Somebody who is signed in to your account wants to change something that matters. If it is you, enter this code where you were asked for it:\n\n${code}\n\nIt works once, within ten minutes, and only there.\n\nIf it is not you, give it to nobody: look at the sign-ins of your account and end those you do not know.`,
});

export const passwordChangedText = (): MailText => ({
  subject: "Your password was changed",
  text: "The password of your account was changed, and sign-ins on other devices have ended.\n\nIf it was not you, ask for a new password at once.",
});

export const noticeKinds = [
  "factor-added",
  "factor-removed",
  "recovery-codes-created",
  "recovery-code-used",
  "api-key-created",
  "api-key-rotated",
  "identity-linked",
  "identity-unlinked",
  "session-compromised",
  "signed-out-elsewhere",
] as const;
export type NoticeKind = (typeof noticeKinds)[number];

const happened: Readonly<Record<NoticeKind, { subject: string; what: string }>> = {
  "factor-added": {
    subject: "A second factor was added to your account",
    what: "Signing in to your account now asks for another factor, and sign-ins on other devices have ended.",
  },
  "factor-removed": {
    subject: "A second factor was removed from your account",
    what: "A way to sign in was removed from your account, and sign-ins on other devices have ended.",
  },
  "recovery-codes-created": {
    subject: "Your account has new recovery codes",
    what: "The recovery codes of your account were replaced; those of before work no more.",
  },
  "recovery-code-used": {
    subject: "A recovery code of your account was used",
    what: "Somebody signed in, or showed who they are, with one of the recovery codes of your account.",
  },
  "api-key-created": {
    subject: "You made an API key",
    what: "An API key was made in your name. Programs that hold it act in your organisation until it expires or is revoked.",
  },
  "api-key-rotated": {
    subject: "You rotated an API key",
    what: "An API key was given a new secret in your name. The secret before it ends when you chose.",
  },
  "identity-linked": {
    subject: "Another way to sign in was added to your account",
    what: "An account at another provider can now sign in to your account.",
  },
  "identity-unlinked": {
    subject: "A way to sign in was removed from your account",
    what: "An account at another provider cannot sign in to your account any more.",
  },
  "session-compromised": {
    subject: "A sign-in of your account was ended for safety",
    what: "Somebody used a token of one of your sign-ins that had been used before, as who copied it would. That sign-in has ended on all devices that shared it; sign in again there.",
  },
  "signed-out-elsewhere": {
    subject: "Your account was signed out everywhere else",
    what: "Somebody who is signed in to your account ended its sign-ins on all other devices.",
  },
};

export const ownerNotices = [
  "domain-missing",
  "domain-unanswered",
  "domain-lost",
  "provider-changed",
  "provider-removed",
  "webhook-gone",
  "webhook-failing",
] as const;
export type OwnerNotice = (typeof ownerNotices)[number];

const told: Readonly<Record<OwnerNotice, { subject: string; what: (about: string) => string }>> = {
  "domain-missing": {
    subject: "The record of a domain is missing",
    what: (domain) =>
      `The TXT record that shows that ${domain} is your organisation's is not there any more. If it is not back within three days, your organisation loses the domain: its provider then signs nobody in by it, and is not required of its people.`,
  },
  "domain-unanswered": {
    subject: "The name servers of a domain do not answer",
    what: (domain) =>
      `The name servers of ${domain} have not answered for a day. If they don't within two weeks of the first time, your organisation loses the domain: its provider then signs nobody in by it, and is not required of its people.`,
  },
  "domain-lost": {
    subject: "Your organisation has a domain no more",
    what: (domain) =>
      `${domain} is not your organisation's verified domain any more. Its provider signs nobody in by it, and is not required of its people. To have it back, show its record and verify it again.`,
  },
  "provider-changed": {
    subject: "The provider of your organisation was changed",
    what: (issuer) =>
      `People of your organisation's domains sign in at ${issuer} from now on, as an owner has set it up.`,
  },
  "provider-removed": {
    subject: "The provider of your organisation was removed",
    what: (issuer) => `Nobody signs in to your organisation at ${issuer} any more, as an owner has decided.`,
  },
  "webhook-gone": {
    subject: "A webhook endpoint of your organisation was disabled",
    what: (host) =>
      `The webhook endpoint at ${host} answered that it is gone (410), so nothing is sent to it any more. What it misses from now on is kept for thirty days: enable it again and replay that, or remove it.`,
  },
  "webhook-failing": {
    subject: "A webhook endpoint of your organisation was disabled",
    what: (host) =>
      `Nothing could be delivered to the webhook endpoint at ${host} for five days, so nothing is sent to it any more. What it misses is kept for thirty days: mend it, enable it again and replay that, or remove it.`,
  },
};

const toAdmins: ReadonlySet<OwnerNotice> = new Set<OwnerNotice>(["webhook-gone", "webhook-failing"]);

/** `about` is a domain, an issuer or a host: what an owner, or an admin, of the organisation has written. */
export const ownerNoticeText = (notice: OwnerNotice, about: string): MailText => ({
  subject: told[notice].subject,
  text: `${told[notice].what(about)}\n\nYou get this as an owner${toAdmins.has(notice) ? " or admin" : ""}. The log of your organisation says who did what; if that is not what you and the other owners want, change it.`,
});

export const factorNoticeText = (kind: NoticeKind): MailText => ({
  subject: happened[kind].subject,
  text: `${happened[kind].what}\n\nIf it was not you, set another password at once, look at the sign-ins of your account and end those you do not know.`,
});
