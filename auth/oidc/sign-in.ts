// Signing in by an account elsewhere: the browser goes to the provider and comes back to a page of the app, which hands
// over the address it was sent to. A second factor of the account is asked for as after a password: what the provider
// asked for is its own affair.
import { withSystem } from "../../db/tenant";
import { parseEmail } from "../../mail/email";
import { limits } from "../../security/limits";
import { commonErrors } from "../../security/common-errors";
import { reasonOf } from "../../security/errors";
import { domainOf } from "../domains/name";
import { errors } from "../errors";
import { requireSecondFactor } from "../factors/requirement";
import { completeNewSignIn, openSession, type SignedIn } from "../sessions";
import { accountFindForUpdate } from "../store/accounts";
import { identityIsOf } from "../store/identities";
import { identityProviderFindByDomain } from "../store/identity-providers";
import { membershipFind } from "../store/memberships";
import { claimsOf } from "./claims";
import { accountOf } from "./linking";
import { amrOf, vouchOf } from "./provider";
import { oidcClients, type OidcClients } from "./providers";
import { beginAt, consumeReturn, readReturn, type Begun } from "./state";

/** Where the browser is to go: a provider by its id, or that of the organisation that has the domain of an address verified. */
export interface Begin {
  provider?: string | undefined;
  email?: string | undefined;
  browser: string | undefined;
}

/**
 * By an address it answers the same whether or not anybody has it.
 * @throws APIError invalid_request, oidc_provider_not_found, oidc_unavailable, oidc_failed.
 */
export async function beginOidcSignIn(
  { provider: id, email: text, browser }: Begin,
  now: Date,
  clients: OidcClients = oidcClients,
): Promise<Begun> {
  if ((id === undefined) === (text === undefined))
    throw commonErrors.invalid_request({ fields: { provider: "is to be named, or else an e-mail" } });
  if (id !== undefined)
    return beginAt(clients, { purpose: "oidc-sign-in", provider: await clients.find(id), browser }, now);
  const loginHint = parseEmail(text ?? "");
  const found = loginHint === undefined ? undefined : await identityProviderFindByDomain(domainOf(loginHint));
  if (found === undefined || loginHint === undefined) throw errors.oidc_provider_not_found();
  return beginAt(clients, { purpose: "oidc-sign-in", provider: await clients.find(found.id), browser, loginHint }, now);
}

export interface Caller {
  address: string;
  device: string | null;
}

/**
 * @throws APIError challenge_invalid (begun by another browser, at another provider, too long ago, or used), oidc_failed,
 * oidc_unavailable, oidc_link_required, oidc_email_missing, oidc_address_refused, oidc_membership_ended, second_factor_required with a challenge; rate_limited after
 * too many failures of the address.
 */
export async function completeOidcSignIn(
  back: { url: string; browser: string | undefined },
  now: Date,
  { address, device }: Caller,
  clients: OidcClients = oidcClients,
): Promise<SignedIn> {
  limits.assertFewFailures("signIn", address);
  const returned = await countingFailure(address, () => readReturn(clients, "oidc-sign-in", back, now));
  await countingFailure(address, () => consumeReturn(returned));
  const { provider } = returned;
  const vouch = vouchOf(provider);
  const amr = amrOf(provider);
  // A code that was made up costs the provider a request.
  const claims = await countingFailure(address, () => claimsOf(clients, returned));
  const { accountId, identityId } = await accountOf(provider, claims, now);
  const account = await withSystem("oidc-sign-in", (tx) => accountFindForUpdate(tx, accountId));
  if (account === undefined) throw errors.oidc_failed({ internal: "the account is gone" });
  await requireSecondFactor(account, amr, now, { identityId, ...(vouch && { vouch }) });
  const opened = await withSystem("oidc-sign-in", async (tx) => {
    const present = await accountFindForUpdate(tx, accountId);
    if (present === undefined || !(await identityIsOf(tx, { id: identityId, accountId })))
      throw errors.oidc_failed({ internal: "the account is gone, or was unlinked, at the same time" });
    const { tenantId } = provider;
    const chosen = tenantId && (await membershipFind(tx, { tenantId, accountId }));
    const { email, organisation } = present;
    return openSession(tx, { accountId, email, organisation: chosen || organisation, vouch }, device, amr);
  });
  return completeNewSignIn(opened, now);
}

/** What the browser brought back was no good; that a provider does not answer is nobody's failure. */
async function countingFailure<T>(address: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (reasonOf(error) !== "oidc_unavailable") limits.countFailure("signIn", address);
    throw error;
  }
}
