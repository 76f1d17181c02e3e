// The job that sends an account's mails. It makes the token that a mail carries when it runs; its payload says for whom
// the mail is and why, and holds neither a secret nor an address.
import { z } from "zod";
import { cfg } from "../config";
import { newId } from "../db/ids";
import { withSystem, withTenant, type Tx } from "../db/tenant";
import type { TenantId } from "../security/principal";
import { canSendMail, hasMailbox, sendMail } from "../mail/mailer";
import { MailError } from "../mail/transport";
import { RETRY } from "../queues/conventions";
import { enqueue } from "../queues/enqueue";
import { defineJob } from "../queues/job";
import { makeWorker, UnrecoverableJobError } from "../queues/worker";
import {
  changeEmailText,
  emailRevertedText,
  factorNoticeText,
  invitationText,
  noticeKinds,
  ownerNotices,
  ownerNoticeText,
  passwordChangedText,
  resetPasswordText,
  restoreAccountText,
  revertEmailText,
  stepUpText,
  verifyEmailText,
  type LinkSettings,
  type MailText,
} from "./mail-texts";
import { hashMailedCode, MAILED_CODE_SECONDS } from "./factors/mailed-code";
import { createRecoveryCode } from "./factors/recovery-codes";
import { createOneTimeToken } from "./one-time-token";
import { restoreTokenPut } from "./store/account-life";
import { accountFind } from "./store/accounts";
import { invitationSetToken } from "./store/invitations";
import { membershipFind } from "./store/memberships";
import { oneTimeTokenHeldAddress, oneTimeTokenPut, oneTimeTokenRenew, type Purpose } from "./store/one-time-tokens";

const accountMail = z.discriminatedUnion("kind", [
  z.object({
    kind: z.enum(["verify-email", "reset-password", "change-email", "revert-email", "restore-account"]),
    accountId: z.uuid(),
  }),
  // Without `to`: to whom it is sent is seen when the job runs, which asks for one for each address if there are two.
  z.object({
    kind: z.enum(["password-changed", ...noticeKinds]),
    accountId: z.uuid(),
    to: z.enum(["account", "before"]).optional(),
  }),
  z.object({
    kind: z.literal("owner-notice"),
    notice: z.enum(ownerNotices),
    about: z.string().max(500),
    accountId: z.uuid(),
  }),
  z.object({
    kind: z.literal("email-reverted"),
    accountId: z.uuid(),
    removed: z.object({
      totp: z.boolean(),
      recoveryCodes: z.number(),
      passkeys: z.number(),
      identities: z.number(),
      apiKeys: z.number(),
    }),
  }),
  z.object({ kind: z.literal("step-up"), accountId: z.uuid(), sessionId: z.uuid() }),
  z.object({ kind: z.literal("invitation"), invitationId: z.uuid() }),
]);

export type AccountMail = z.infer<typeof accountMail>;
type Notice = Extract<AccountMail, { to?: unknown }>;

export const mailJob = defineJob({
  name: "auth:mail",
  payload: accountMail,
  // A mail server may be away for an hour. The time is more than MAIL_MS_MAX: a mail is given up by itself before.
  retry: RETRY.external,
  timeoutMs: 45_000,
  kind: "email",
  // It may warn its reader of who would call it off.
  isCancelable: false,
});

makeWorker(mailJob, (mail, { tenantId }) => sendAccountMail(mail, tenantId));

/** Asks for a mail in the caller's transaction, for `tenantId`; does nothing where no mail can be sent. */
export async function requestMail(tx: Tx, mail: AccountMail, tenantId: TenantId | null = tx.tenantId): Promise<void> {
  if (canSendMail()) await enqueue(tx, mailJob, mail, { tenantId });
}

const LIFETIME_SECONDS: Readonly<Record<"verify-email" | "reset-password", number>> = {
  "verify-email": 86_400,
  "reset-password": 3_600,
};

interface AddressedText extends MailText {
  to: string;
}

/**
 * Sends the mail if there is still a reason to. Each attempt has a token of its own, so each is another mail. What a tenant
 * asks for concerns its own invitations and members, whatever ids stand in its job: only a job of no tenant is the app's own.
 */
export async function sendAccountMail(mail: AccountMail, tenantId: TenantId | null): Promise<void> {
  if (tenantId !== null && "accountId" in mail && !(await isMember(tenantId, mail.accountId))) return;
  const written = await write(mail, tenantId, { appUrl: cfg.appUrl, isMailbox: hasMailbox() });
  try {
    if (written !== undefined) await sendMail({ id: newId(), ...written });
  } catch (error) {
    if (isFinal(error)) throw new UnrecoverableJobError("the mail cannot be delivered", { cause: error });
    throw error;
  }
}

const isFinal = (error: unknown): boolean =>
  error instanceof z.ZodError || (error instanceof MailError && error.isFinal);

const isMember = async (tenantId: TenantId, accountId: string): Promise<boolean> =>
  (await withTenant({ tenantId }, (tx) => membershipFind(tx, { tenantId, accountId }))) !== undefined;

/** Undefined when its reason is gone: the account, the invitation, or an address that was verified meanwhile. */
async function write(
  mail: AccountMail,
  tenantId: TenantId | null,
  settings: LinkSettings,
): Promise<AddressedText | undefined> {
  switch (mail.kind) {
    case "verify-email":
      return withToken(mail.accountId, mail.kind, (token) => verifyEmailText(token, settings));
    case "reset-password":
      // Of an account that is being deleted there is no password to set: who lost the way back gets it again.
      return (
        (await withToken(mail.accountId, mail.kind, (token) => resetPasswordText(token, settings))) ??
        toDeleted(mail.accountId, settings)
      );
    case "step-up": {
      const code = createRecoveryCode();
      const hash = hashMailedCode(mail.sessionId, code);
      if (hash === undefined) throw new Error("a code of ours is none");
      const token = { accountId: mail.accountId, purpose: mail.kind, hash, lifetimeSeconds: MAILED_CODE_SECONDS };
      const to = await oneTimeTokenPut(token, false);
      return to === undefined ? undefined : { to, ...stepUpText(code) };
    }
    case "restore-account":
      return toDeleted(mail.accountId, settings);
    case "change-email":
      return toHeld(mail.accountId, mail.kind, (token) => changeEmailText(token, settings));
    case "revert-email":
      return toHeld(mail.accountId, mail.kind, (token) => revertEmailText(token, settings));
    case "email-reverted":
      return toHeld(mail.accountId, mail.kind, () => emailRevertedText(mail.removed));
    case "invitation": {
      if (tenantId === null) throw new UnrecoverableJobError("an invitation belongs to a tenant");
      const { text, hash } = createOneTimeToken();
      const invitation = await invitationSetToken({ tenantId }, mail.invitationId, hash);
      return invitation && { to: invitation.email, ...invitationText(text, invitation, settings) };
    }
    case "password-changed":
      return toOwner(mail, tenantId, passwordChangedText());
    case "owner-notice": {
      const account = await accountFind(mail.accountId);
      // Whoever registers a stranger's address could make them read what they call their provider.
      if (account?.isVerified !== true) return undefined;
      return { to: account.email, ...ownerNoticeText(mail.notice, mail.about) };
    }
    case "factor-added":
    case "factor-removed":
    case "recovery-codes-created":
    case "recovery-code-used":
    case "api-key-created":
    case "api-key-rotated":
    case "identity-linked":
    case "identity-unlinked":
    case "session-compromised":
    case "signed-out-elsewhere":
      return toOwner(mail, tenantId, factorNoticeText(mail.kind));
  }
}

/**
 * A notice, to the account's address and to the one before while that can be taken back: whoever stole an account moves it to an
 * address of theirs first, and what they do then is to be told to who was robbed. Each has a job of its own: an address that takes
 * nothing neither holds up the other mail nor has it sent again. Undefined when it is for those.
 */
async function toOwner(notice: Notice, tenantId: TenantId | null, text: MailText): Promise<AddressedText | undefined> {
  const { accountId, to } = notice;
  const before = to === "account" ? undefined : await oneTimeTokenHeldAddress(accountId);
  if (to === "before") return before === undefined ? undefined : { to: before, ...text };
  if (before !== undefined) {
    await withSystem("one-time-token-for-a-mail", async (tx) => {
      for (const each of ["account", "before"] as const)
        await enqueue(tx, mailJob, { ...notice, to: each }, { tenantId });
    });
    return undefined;
  }
  const account = await accountFind(accountId);
  return account === undefined ? undefined : { to: account.email, ...text };
}

/** To the address that waits to be confirmed, or to the one before. */
async function toHeld(
  accountId: string,
  purpose: Purpose,
  textOf: (token: string) => MailText,
): Promise<AddressedText | undefined> {
  const { text, hash } = createOneTimeToken();
  const to = await oneTimeTokenRenew(accountId, purpose, hash);
  return to === undefined ? undefined : { to, ...textOf(text) };
}

async function toDeleted(accountId: string, settings: LinkSettings): Promise<AddressedText | undefined> {
  const { text, hash } = createOneTimeToken();
  const to = await restoreTokenPut(accountId, hash);
  return to === undefined ? undefined : { to, ...restoreAccountText(text, settings) };
}

async function withToken(
  accountId: string,
  purpose: keyof typeof LIFETIME_SECONDS,
  textOf: (token: string) => MailText,
): Promise<AddressedText | undefined> {
  const { text, hash } = createOneTimeToken();
  const token = { accountId, purpose, hash, lifetimeSeconds: LIFETIME_SECONDS[purpose] };
  const to = await oneTimeTokenPut(token, purpose === "verify-email");
  return to === undefined ? undefined : { to, ...textOf(text) };
}
