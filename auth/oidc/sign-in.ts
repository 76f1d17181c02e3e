// Signing in by an account elsewhere: the browser goes to the provider and comes back to a page of the app, which hands
// over the address it was sent to. A second factor of the account is asked for as after a password: what the provider
// asked for is its own affair.
import { withSystem } from "../../db/tenant";
import { limits } from "../../security/limits";
import { errors } from "../errors";
import { BY_PROVIDER } from "../factors/methods";
import { requireSecondFactor } from "../factors/requirement";
import { completeSignIn, openSession, type SignedIn } from "../sessions";
import { accountFindForUpdate } from "../store/accounts";
import { claimsOf } from "./claims";
import { accountOf } from "./linking";
import { oidcClients, type OidcClients } from "./providers";
import { beginAt, consumeReturn, readReturn, type Begun, type Returned } from "./state";

/** @throws APIError oidc_provider_not_found, oidc_unavailable, oidc_failed. */
export async function beginOidcSignIn(
  { provider, browser }: { provider: string; browser: string | undefined },
  now: Date,
  clients: OidcClients = oidcClients,
): Promise<Begun> {
  return beginAt(clients, { purpose: "oidc-sign-in", provider: clients.find(provider), browser }, now);
}

export interface Caller {
  address: string;
  device: string | null;
}

/**
 * @throws APIError challenge_invalid (begun by another browser, at another provider, too long ago, or used), oidc_failed,
 * oidc_unavailable, oidc_link_required, oidc_email_missing, second_factor_required with a challenge; rate_limited after
 * too many failures of the address.
 */
export async function completeOidcSignIn(
  back: { url: string; browser: string | undefined },
  now: Date,
  { address, device }: Caller,
  clients: OidcClients = oidcClients,
): Promise<SignedIn> {
  limits.assertFewFailures("signIn", address);
  const returned = countingFailure(address, () => readReturn(clients, "oidc-sign-in", back, now));
  await consumeReturn(returned);
  const { accountId } = await accountOf(returned.provider, await claimsOf(clients, returned), now);
  const account = await withSystem("oidc-sign-in", (tx) => accountFindForUpdate(tx, accountId));
  if (account === undefined) throw errors.oidc_failed({ internal: "the account is gone" });
  await requireSecondFactor(account, BY_PROVIDER, now);
  const opened = await withSystem("oidc-sign-in", async (tx) => {
    const present = await accountFindForUpdate(tx, accountId);
    if (present === undefined) throw errors.oidc_failed({ internal: "the account is gone" });
    const { email, organisation } = present;
    return openSession(tx, { accountId, email, organisation }, device, BY_PROVIDER);
  });
  return completeSignIn(opened, now);
}

function countingFailure(address: string, read: () => Returned): Returned {
  try {
    return read();
  } catch (error) {
    limits.countFailure("signIn", address);
    throw error;
  }
}
