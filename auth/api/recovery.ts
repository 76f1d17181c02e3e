// Passwords and addresses: what is confirmed by a mailed link.
import { api } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { callerAddress } from "../../security/caller-address";
import { currentCaller } from "../../security/principal";
import { changePassword as change } from "../account";
import { changeEmail as askForChange, confirmEmailChange, revertEmailChange } from "../email-change";
import { presentingMailedToken } from "../attempts";
import { sendVerification, verifyEmail as verify } from "../email-verification";
import { forgotPassword as forgot, resetPassword as reset } from "../password-reset";

interface PasswordChangeRequest {
  current: string & MinLen<1> & MaxLen<512>;
  /** 8 to 128 characters, not among the common ones. */
  password: string & MinLen<1> & MaxLen<512>;
}

/** Sets another password and ends all other sign-ins of the account. */
export const changePassword = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/password/change",
    sensitive: true,
    tags: ["self", "limit:auth"],
  },
  async (req: PasswordChangeRequest): Promise<void> => change(currentCaller(), req, callerAddress()),
);

interface ForgotPasswordRequest {
  email: string & MinLen<1> & MaxLen<254>;
}

/** Mails a link for a new password, if the address is registered; the answer is the same if it is not. */
export const forgotPassword = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/password/forgot",
    sensitive: true,
    tags: ["public:who forgot the password cannot sign in", "limit:mail"],
  },
  async ({ email }: ForgotPasswordRequest): Promise<void> => forgot(email),
);

interface ResetPasswordRequest {
  /** Of the mail's link. */
  token: string & MinLen<1> & MaxLen<512>;
  /** 8 to 128 characters, not among the common ones. */
  password: string & MinLen<1> & MaxLen<512>;
}

/** Sets the password of the account that the mail was for, and ends all its sign-ins. */
export const resetPassword = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/password/reset",
    sensitive: true,
    tags: ["public:the mailed token is the credential", "limit:auth"],
  },
  async (req: ResetPasswordRequest): Promise<void> =>
    presentingMailedToken(callerAddress(), () => reset(req, callerAddress())),
);

interface VerifyEmailRequest {
  /** Of the mail's link. */
  token: string & MinLen<1> & MaxLen<512>;
}

/** Confirms the address of the account that the mail was for. */
export const verifyEmail = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/verify-email",
    sensitive: true,
    tags: ["public:the mailed token is the credential", "limit:auth"],
  },
  async ({ token }: VerifyEmailRequest): Promise<void> => presentingMailedToken(callerAddress(), () => verify(token)),
);

/** Mails the link again, if the caller's address is not verified yet. */
export const sendVerificationMail = api(
  { expose: true, auth: true, method: "POST", path: "/auth/verify-email/send", tags: ["self", "limit:mail"] },
  async (): Promise<void> => sendVerification(currentCaller()),
);

interface EmailChangeRequest {
  /** The new one. */
  email: string & MinLen<1> & MaxLen<254>;
}

/** Mails a link to the new address; the answer is the same if somebody has it. */
export const changeEmail = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/email/change",
    sensitive: true,
    tags: ["self", "own-proof", "fresh", "limit:mail"],
  },
  async ({ email }: EmailChangeRequest): Promise<void> => askForChange(currentCaller(), email),
);

/** Gives the account the address that the mail was sent to; the one before is told, and can take it back for a week. */
export const confirmEmail = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/email/confirm",
    sensitive: true,
    tags: ["public:the mailed token is the credential", "limit:auth"],
  },
  async ({ token }: VerifyEmailRequest): Promise<void> =>
    presentingMailedToken(callerAddress(), () => confirmEmailChange(token)),
);

interface RemovedPasskey {
  id: string;
  name: string;
}

interface RemovedIdentity {
  id: string;
  provider: string;
}

interface RemovedApiKey {
  id: string;
  name: string;
  organisationId: string;
}

interface RemovedCredentials {
  /** How many sign-ins ended. */
  sessions: number;
  passkeys: RemovedPasskey[];
  /** Whether codes of an app did. */
  totp: boolean;
  /** How many; all there were. */
  recoveryCodes: number;
  /** Accounts at providers. */
  identities: RemovedIdentity[];
  /** The first hundred of those that were made or rotated. */
  apiKeys: RemovedApiKey[];
  apiKeysInAll: number;
}

interface RevertedEmailResponse {
  /** What was added since then is removed: a week before the address was first changed. ISO 8601. */
  since: string;
  removed: RemovedCredentials;
}

const KEYS_SHOWN_MAX = 100;

/**
 * Gives the account the address back that the mail was sent to, ends its sign-ins and its password, and removes the credentials that
 * were added since a week before the address was first changed.
 */
export const revertEmail = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/email/revert",
    sensitive: true,
    tags: ["public:the mailed token is the credential", "limit:auth"],
  },
  async ({ token }: VerifyEmailRequest): Promise<RevertedEmailResponse> => {
    const { since, removed } = await presentingMailedToken(callerAddress(), () => revertEmailChange(token));
    const { apiKeys, ...others } = removed;
    const shown = apiKeys
      .slice(0, KEYS_SHOWN_MAX)
      .map(({ id, name, tenantId: organisationId }) => ({ id, name, organisationId }));
    return { since: since.toISOString(), removed: { ...others, apiKeys: shown, apiKeysInAll: apiKeys.length } };
  },
);
