// Whether an account comes into an organisation by its provider alone: members whose address is of a verified domain of an
// organisation that asks for that. Owners do not: by their passwords and passkeys they get in when the provider is broken,
// and can change it. Nor guests, of other domains. What is closed is the organisation and not the account: whoever is
// a member elsewhere too, or has to sign in to link the provider by hand (oidc/linking.ts), signs in without this organisation.
import type { Tx } from "../db/tenant";
import { domainOf } from "./domains/name";
import { errors } from "./errors";
import { methodsOf } from "./factors/requirement";
import type { OrganisationRow } from "./store/accounts";
import { domainIsVerified } from "./store/domains";
import { factorsFindIn } from "./store/factors";
import { identityProviderRequired } from "./store/identity-providers";
import { membershipFindOther } from "./store/memberships";

interface Entering {
  accountId: string;
  email: string;
  organisation: OrganisationRow | null;
  /** The organisation whose provider vouched for the person. */
  vouchedBy?: string | undefined;
}

/**
 * The organisation that a session may begin in; null for none.
 * @throws APIError provider_required for who has no other, and gets in by the provider.
 */
export async function organisationFor(tx: Tx, entering: Entering): Promise<OrganisationRow | null> {
  const { accountId, email, organisation, vouchedBy } = entering;
  const required = await identityProviderRequired(tx, { accountId, domain: domainOf(email) });
  if (required === undefined || required.tenantId === vouchedBy) return organisation;
  const other = await membershipFindOther(tx, { tenantId: required.tenantId, accountId });
  if (other === undefined && (required.isLinked || methodsOf(await factorsFindIn(tx, accountId)).length === 0))
    throw errors.provider_required({ facts: { provider: required.id } });
  return organisation?.id === required.tenantId ? (other ?? null) : organisation;
}

/** For a session that goes into another organisation. @throws APIError provider_required. */
export async function assertMayEnter(
  tx: Tx,
  {
    accountId,
    email,
    tenantId,
    vouchedBy,
  }: { accountId: string; email: string; tenantId: string; vouchedBy: string | null },
): Promise<void> {
  if (vouchedBy === tenantId) return;
  const required = await identityProviderRequired(tx, { accountId, domain: domainOf(email) });
  if (required?.tenantId === tenantId) throw errors.provider_required({ facts: { provider: required.id } });
}

/** Who gets in by the provider for their domain's sake is no guest by an address of another one. @throws APIError provider_required. */
export async function assertMayMove(
  tx: Tx,
  { accountId, from, to }: { accountId: string; from: string; to: string },
): Promise<void> {
  const required = await identityProviderRequired(tx, { accountId, domain: domainOf(from) });
  if (required === undefined || (await domainIsVerified(tx, required.tenantId, domainOf(to)))) return;
  throw errors.provider_required({ facts: { provider: required.id } });
}
