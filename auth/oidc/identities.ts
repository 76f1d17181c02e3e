// The accounts elsewhere that sign in to one's own: linking another by hand, listing, unlinking. Both changes ask for a fresh
// session, and end all other sign-ins, as those of factors do.
import { withSystem } from "../../db/tenant";
import type { Caller } from "../../security/principal";
import { whose } from "../account-log";
import { errors } from "../errors";
import { endOthers } from "../factors/enrolment";
import { assertSignInMethod } from "../sign-in-methods";
import { accountLock } from "../store/accounts";
import { identityCount, identityDelete, identityList, type IdentityRow } from "../store/identities";
import { claimsOf } from "./claims";
import { insertIdentity, tellLinked } from "./linking";
import { assertSpeaksFor, provision } from "./provisioning";
import { oidcClients, type OidcClients } from "./providers";
import { beginAt, consumeReturn, readReturn, type Begun } from "./state";
import { tellUnlinked } from "./unlinking";

export const IDENTITIES_PER_ACCOUNT_MAX = 20;

export const listIdentities = (caller: Caller): Promise<IdentityRow[]> =>
  identityList(caller.subjectId, IDENTITIES_PER_ACCOUNT_MAX);

/** @throws APIError oidc_provider_not_found, oidc_unavailable, oidc_failed. */
export async function beginLink(
  { subjectId: accountId, sessionId }: Caller,
  { provider, browser }: { provider: string; browser: string | undefined },
  now: Date,
  clients: OidcClients = oidcClients,
): Promise<Begun> {
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const beginning = { purpose: "oidc-link", provider: await clients.find(provider), browser } as const;
  return beginAt(clients, { ...beginning, caller: { accountId, sessionId } }, now);
}

/**
 * Links what came back to the caller, who began it in this session and browser.
 * @throws APIError challenge_invalid, oidc_failed, oidc_unavailable, identity_taken, too_many_identities; of an
 * organisation's provider oidc_address_refused and oidc_membership_ended too.
 */
export async function completeLink(
  caller: Caller,
  back: { url: string; browser: string | undefined },
  now: Date,
  clients: OidcClients = oidcClients,
): Promise<{ id: string }> {
  const { subjectId: accountId, tenantId } = caller;
  const returned = await readReturn(clients, "oidc-link", back, now);
  const { challenge, provider } = returned;
  if (challenge.accountId !== accountId || challenge.sessionId !== caller.sessionId)
    throw errors.challenge_invalid({ internal: "begun by somebody else" });
  await consumeReturn(returned);
  const claims = await claimsOf(clients, returned);
  const id = await withSystem("link-identity", async (tx) => {
    await accountLock(tx, accountId);
    if ((await identityCount(tx, accountId)) >= IDENTITIES_PER_ACCOUNT_MAX) throw errors.too_many_identities();
    await endOthers(tx, caller);
    if (provider.tenantId !== undefined) await assertSpeaksFor(tx, provider.tenantId, claims, accountId);
    const link = { provider, claims, accountId, how: "linked" } as const;
    const stored = await insertIdentity(tx, link);
    if (provider.tenantId !== undefined)
      await provision(tx, { providerId: provider.id, issuer: claims.issuer, tenantId: provider.tenantId, accountId });
    await tellLinked(tx, link, { id: stored, tenantId });
    return stored;
  });
  return { id };
}

/** @throws APIError identity_not_found, also for somebody else's; last_sign_in_method. */
export async function unlink(caller: Caller, id: string): Promise<void> {
  const { subjectId: accountId } = caller;
  await withSystem("unlink-identity", async (tx) => {
    await accountLock(tx, accountId);
    const gone = await identityDelete(tx, { id, accountId });
    if (gone === undefined) throw errors.identity_not_found();
    await assertSignInMethod(tx, accountId);
    await endOthers(tx, caller);
    await tellUnlinked(tx, whose(caller), { id, provider: gone.provider }, "identity-unlinked");
  });
}
