// Everything by which somebody could act as an account, gone at once: for an account whose true owner takes it over from
// whoever registered their address before them (Sudhodanan and Paverd, Pre-hijacked Accounts, USENIX Security 2022).
import type { Tx } from "../db/tenant";
import { forgetApiKeys, shutApiKeys, type ForgottenKey } from "./api-keys";
import { forgetFactors, forgetFactorsSince, type ForgottenFactors } from "./factors/enrolment";
import { unlinkSince, type UnlinkedIdentity } from "./oidc/unlinking";
import { endSessions } from "./session-end";
import { accountForgetPlaces } from "./store/accounts";
import { identityDeleteOfAccount } from "./store/identities";
import { oneTimeTokenDeleteOfAccount } from "./store/one-time-tokens";
import type { EndReason } from "./store/sessions";

/**
 * Ends the account's sessions and removes its API keys, mailed links, second factors, identities elsewhere and known places. The password is the caller's
 * matter. Whatever else can sign in is forgotten here too: add its call below.
 */
export async function forgetCredentials(tx: Tx, accountId: string, reason: EndReason): Promise<void> {
  await endEverySignIn(tx, accountId, reason);
  await forgetApiKeys(tx, accountId);
  await forgetFactors(tx, accountId);
  accountForgetPlaces(tx, accountId);
  await identityDeleteOfAccount(tx, accountId);
}

export interface ForgottenCredentials extends ForgottenFactors {
  /** Live ones. */
  sessions: number;
  identities: UnlinkedIdentity[];
  apiKeys: ForgottenKey[];
}

/**
 * The account's credentials as they were: ends every sign-in, and removes what was added, or learnt anew, since. What was there
 * before stays: a second factor too, so that who reads the mails of an address alone gets no further than they would have then.
 * API keys open nothing from the commit on; removing them is the caller's matter (removeShutKeys), behind it. So is the password.
 * Whatever else can sign in is forgotten here too: add its call below.
 */
export async function forgetSince(
  tx: Tx,
  accountId: string,
  since: Date,
  reason: EndReason,
): Promise<ForgottenCredentials> {
  const sessions = await endEverySignIn(tx, accountId, reason);
  accountForgetPlaces(tx, accountId);
  const apiKeys = await shutApiKeys(tx, accountId, since);
  const factors = await forgetFactorsSince(tx, accountId, since);
  const identities = await unlinkSince(tx, accountId, since);
  return { sessions, apiKeys, identities, ...factors };
}

/** Ends all sessions and mailed links of an account; keys and second factors stay. Resolves with how many sessions were live. */
export async function endEverySignIn(tx: Tx, accountId: string, reason: EndReason): Promise<number> {
  const ended = await endSessions(tx, { accountId, which: "all", signInOf: null, reason });
  await oneTimeTokenDeleteOfAccount(tx, accountId);
  return ended.length;
}
