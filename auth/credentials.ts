// Everything by which somebody could act as an account, gone at once: for an account whose true owner takes it over from
// whoever registered their address before them (Sudhodanan and Paverd, Pre-hijacked Accounts, USENIX Security 2022).
import type { Tx } from "../db/tenant";
import { forgetApiKeys } from "./api-keys";
import { forgetFactors } from "./factors/enrolment";
import { endSessions } from "./session-end";
import { identityDeleteOfAccount } from "./store/identities";
import { oneTimeTokenDeleteOfAccount } from "./store/one-time-tokens";
import type { EndReason } from "./store/sessions";

/**
 * Ends the account's sessions and removes its API keys, mailed links, second factors and identities elsewhere. The password is the caller's
 * matter. Whatever else can sign in is forgotten here too: add its call below.
 */
export async function forgetCredentials(tx: Tx, accountId: string, reason: EndReason): Promise<void> {
  await endEverySignIn(tx, accountId, reason);
  await forgetApiKeys(tx, accountId);
  await forgetFactors(tx, accountId);
  await identityDeleteOfAccount(tx, accountId);
}

/** Ends all sessions and mailed links of an account; keys and second factors stay. */
export async function endEverySignIn(tx: Tx, accountId: string, reason: EndReason): Promise<void> {
  await endSessions(tx, { accountId, which: "all", signInOf: null, reason });
  await oneTimeTokenDeleteOfAccount(tx, accountId);
}
