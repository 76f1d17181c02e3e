// Deleting one's account, and taking that back.
import { api, type Header } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { callerAddress } from "../../security/caller-address";
import { currentCaller } from "../../security/principal";
import { deleteAccount as close, restoreAccount as restore } from "../account-deletion";
import { presentingMailedToken } from "../attempts";
import { browserJar, forgetAccount, isByCookie } from "../browser/answer";

interface DeletedAccountResponse {
  /** Until then the link of the mail takes it back. ISO 8601. */
  purgeAt: string;
  /** Removes the cookies of a caller who came by them. */
  setCookie?: Header<"Set-Cookie">;
}

/** Deletes the caller's account: its sign-ins end, and it is removed with all that belongs to it after 30 days, unless it is taken back. */
export const deleteAccount = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/account/delete",
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async (): Promise<DeletedAccountResponse> => {
    const caller = currentCaller();
    const purgeAt = await close(caller);
    const forgotten = isByCookie() ? { setCookie: forgetAccount(browserJar(), caller.subjectId) } : {};
    return { purgeAt: purgeAt.toISOString(), ...forgotten };
  },
);

interface RestoreAccountRequest {
  /** Of the mail's link. */
  token: string & MinLen<1> & MaxLen<512>;
}

/** Takes the deletion of the account back that the mail was for; sign in as before. */
export const restoreAccount = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/account/restore",
    sensitive: true,
    tags: ["public:the mailed token is the credential", "limit:auth"],
  },
  async ({ token }: RestoreAccountRequest): Promise<void> =>
    presentingMailedToken(callerAddress(), () => restore(token)),
);
