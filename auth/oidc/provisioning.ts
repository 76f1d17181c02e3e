// What the provider of an organisation may say, and of whom. It speaks for addresses of the domains that the organisation has
// verified now, and for accounts that have one: an organisation can make its provider say anything, of anybody. Whoever has
// a domain verified reads its mails, so within it the provider is believed where it says nothing of `email_verified` (Entra
// never does), but not against its own word. An account that belongs to another organisation too is not taken by its address:
// its person links by hand. The first sign-in makes a member; who was removed since is not made one again by signing in.
// Models: https://workos.com/docs/sso/domains (addresses outside are refused), supabase/auth #1098 (no linking by e-mail).
// What went wrong elsewhere: the provider's `email_verified` stood in for the domain (sim #6738, better-auth's link gate), the
// organisation of the provider was not looked at for accounts that exist (saas-starter-kit #2577).
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import type { Tx } from "../../db/tenant";
import { memberProvisioned } from "../../events/catalog/auth";
import { emit } from "../../events/outbox";
import type { TenantId } from "../../security/principal";
import { onBehalfOf } from "../../security/provenance";
import { domainOf } from "../domains/name";
import { errors } from "../errors";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "../organisations";
import { accountFindForUpdate } from "../store/accounts";
import { domainIsVerified } from "../store/domains";
import { identityProviderFindIn } from "../store/identity-providers";
import {
  membershipCountOfAccount,
  membershipFind,
  membershipHasEnded,
  membershipInsert,
  membershipLock,
} from "../store/memberships";
import type { Claims } from "./claims";

const provisioned = defineAction("auth.member.provisioned", {
  role: "plain",
  identityProvider: "plain",
  email: "personal",
});

/** Of what it says now, and of the account that it would sign in to, if there is one. @throws APIError oidc_address_refused. */
export async function assertSpeaksFor(
  tx: Tx,
  tenantId: TenantId,
  { email, isEmailUnverified }: Claims,
  accountId: string | undefined,
): Promise<void> {
  const refuse = (internal: string): Error => errors.oidc_address_refused({ internal });
  if (email === undefined) throw errors.oidc_email_missing();
  if (isEmailUnverified) throw refuse("the provider says that nobody verified it, or spells another one");
  if (!(await domainIsVerified(tx, tenantId, domainOf(email)))) throw refuse("of no domain that is verified");
  if (accountId === undefined) return;
  const account = await accountFindForUpdate(tx, accountId);
  if (account === undefined || !(await domainIsVerified(tx, tenantId, domainOf(account.email))))
    throw refuse("the account's address is of no domain that is verified");
}

/** @throws APIError oidc_membership_ended. */
export async function assertMember(tx: Tx, member: { tenantId: TenantId; accountId: string }): Promise<void> {
  if ((await membershipFind(tx, member)) === undefined) throw errors.oidc_membership_ended();
}

interface ProvisionedBy {
  providerId: string;
  /** Who spoke. */
  issuer: string;
}

/**
 * Makes the account a member, with the role that the provider's people get. The caller holds the account's lock, and has
 * stored an identity of this issuer: where owners have changed the provider since it was asked, they go on without it.
 * @throws APIError oidc_membership_ended for who was removed or has left: however they came to be unknown to the provider;
 * oidc_failed when the organisation has another issuer by now, oidc_provider_not_found when it has none.
 */
export async function provision(
  tx: Tx,
  { providerId, issuer, tenantId, accountId }: ProvisionedBy & { tenantId: TenantId; accountId: string },
): Promise<void> {
  await membershipLock(tx, tenantId);
  const provider = await identityProviderFindIn(tx, providerId);
  if (provider === undefined) throw errors.oidc_provider_not_found();
  if (provider.issuer !== issuer) throw errors.oidc_failed({ internal: "the organisation has another issuer by now" });
  if ((await membershipFind(tx, { tenantId, accountId })) !== undefined) return;
  if (await membershipHasEnded(tx, { tenantId, accountId })) throw errors.oidc_membership_ended();
  if ((await membershipCountOfAccount(tx, accountId)) >= ORGANISATIONS_PER_ACCOUNT_MAX)
    throw errors.too_many_organisations();
  const { defaultRole: role } = provider;
  await membershipInsert(tx, { tenantId, accountId, role, createdAt: new Date() });
  const email = (await accountFindForUpdate(tx, accountId))?.email ?? null;
  await onBehalfOf(`user:${accountId}`, async () => {
    const payload = { organisationId: tenantId, userId: accountId, role, identityProviderId: providerId };
    const about = { aggregateType: "member", aggregateId: `${tenantId}/${accountId}`, tenantId };
    await emit(tx, memberProvisioned, payload, about);
    const fields = { role, identityProvider: providerId, email };
    await record(tx, provisioned, { tenantId, target: { type: "account", id: accountId }, fields });
  });
}
