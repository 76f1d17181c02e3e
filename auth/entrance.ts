// Which organisation a session may be in, by how its person showed who they are. Two rules, the same when a session begins,
// is refreshed, steps up or goes to another organisation:
//   - What an organisation's provider says opens that organisation alone, while the provider speaks for the account. Any other
//     asks for something of the account's own: password, factor, a provider of the installation, a mailed code.
//   - An organisation that requires its provider is open to members of its domains who were vouched for by it. Owners get in
//     as ever, so that they can change a provider that is broken, and so do guests, of other domains.
// What is closed is the organisation and not the account: whoever is a member elsewhere too, or has to sign in to link the
// provider by hand (oidc/linking.ts), signs in without this organisation.
// Models: GitHub asks for SAML once for each organisation, beside a sign-in of the account's own; Stytch exchanges a session
// for one of another organisation where what was shown is enough there, and else says what is missing. What went wrong
// elsewhere: better-auth issue 9013, growthbook pull request 6451 (one organisation's provider opens all of the account's).
import type { Tx } from "../db/tenant";
import { commonErrors } from "../security/common-errors";
import { isOwnProof } from "../security/own-proof";
import { domainOf } from "./domains/name";
import { errors } from "./errors";
import type { Vouch } from "./factors/challenge";
import { methodsOf } from "./factors/requirement";
import type { OrganisationRow } from "./store/accounts";
import { domainIsVerified } from "./store/domains";
import { factorsFindIn } from "./store/factors";
import { identityProviderRequired, identityProviderSpeaking, type SpeakerRow } from "./store/identity-providers";
import { revokeOrganisation, revokePlaces } from "./revocations";
import { membershipBump, membershipFindOther } from "./store/memberships";
import { organisationRevise } from "./store/organisations";
import { sessionListIn, type PlacedSessionRow, type SessionProof } from "./store/sessions";

interface Standing {
  amr: readonly string[];
  /** The organisation's provider, where it speaks for the account. */
  speaker: SpeakerRow | null;
}

type Refusal = "provider_required" | "own_proof_required";

/** Why a member may not be in the organisation; undefined for who may. */
export function refusalOf({ role }: Pick<OrganisationRow, "role">, { amr, speaker }: Standing): Refusal | undefined {
  if (speaker?.hasVouched === true) return undefined;
  if (speaker?.isRequired === true && role !== "owner") return "provider_required";
  return isOwnProof(amr) ? undefined : "own_proof_required";
}

/** The organisation that a session chose, as long as it may be in it. */
export function organisationOf(session: Standing & { organisation: OrganisationRow | null }): OrganisationRow | null {
  const { organisation } = session;
  return organisation !== null && refusalOf(organisation, session) === undefined ? organisation : null;
}

interface Entering extends SessionProof {
  email: string;
  organisation: OrganisationRow;
}

/** For a session that goes into an organisation. @throws APIError provider_required, own_proof_required. */
export async function assertMayEnter(tx: Tx, { email, organisation, amr, vouchedBy }: Entering): Promise<void> {
  const speaker = await identityProviderSpeaking(tx, { tenantId: organisation.id, email, vouchedBy });
  const refusal = refusalOf(organisation, { amr, speaker });
  if (refusal === "provider_required") throw errors.provider_required({ facts: { provider: speaker?.id ?? "" } });
  if (refusal === "own_proof_required") throw commonErrors.own_proof_required();
}

const PAGE = 1_000;
/** Of larger organisations nobody is looked at one by one while all who come and go there wait. */
const PAGES_MAX = 5;
const FIRST = "00000000-0000-0000-0000-000000000000";

/**
 * Ends access tokens of the sessions that may not be in the organisation, after a change of what that depends on: its provider or
 * its domains. Those that may be stay as they are, where no more than 5,000 sessions are there; else the tokens of all end, which
 * is one row, and each refreshes: into the organisation, or without it. So what a change costs is bounded, all of it is in the
 * change's own transaction, and nothing is left to do that a killed process could lose. The caller holds membershipLock since
 * before the change, so a session that begins at this moment is among these, or begins behind the change.
 */
export async function endRefused(tx: Tx, tenantId: string): Promise<void> {
  const refused: PlacedSessionRow[] = [];
  let after = FIRST;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await sessionListIn(tx, { tenantId, after, limit: PAGE });
    refused.push(...page.filter((session) => refusalOf(session, session) !== undefined));
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined) return endPlaces(tx, tenantId, refused);
    after = last.id;
  }
  await revokeOrganisation(tx, tenantId, await organisationRevise(tx, tenantId));
}

async function endPlaces(tx: Tx, tenantId: string, refused: readonly PlacedSessionRow[]): Promise<void> {
  if (refused.length === 0) return;
  const accountIds = [...new Set(refused.map(({ accountId }) => accountId))];
  const bumped = await membershipBump(tx, tenantId, accountIds);
  const revisions = new Map(bumped.map(({ accountId, revision }) => [accountId, revision]));
  const below = ({ id, accountId }: PlacedSessionRow): Parameters<typeof revokePlaces>[2] => {
    const belowRevision = revisions.get(accountId);
    return belowRevision === undefined ? [] : [{ sessionId: id, belowRevision }];
  };
  await revokePlaces(tx, tenantId, refused.flatMap(below));
}

interface SigningIn {
  accountId: string;
  email: string;
  organisation: OrganisationRow | null;
  amr: readonly string[];
  vouch?: Vouch | undefined;
}

/**
 * The organisation that a session may begin in; null for none.
 * @throws APIError provider_required for who has no other, and gets in by the provider.
 */
export async function organisationFor(tx: Tx, signingIn: SigningIn): Promise<OrganisationRow | null> {
  const { accountId, email, organisation, amr, vouch } = signingIn;
  if (vouch !== undefined || !isOwnProof(amr)) {
    if (organisation === null) return null;
    const about = { tenantId: organisation.id, email, vouchedBy: vouch === undefined ? [] : [vouch.vouchId] };
    return organisationOf({ organisation, amr, speaker: await identityProviderSpeaking(tx, about) });
  }
  const required = await identityProviderRequired(tx, { accountId, domain: domainOf(email) });
  if (required === undefined) return organisation;
  const other = await membershipFindOther(tx, { tenantId: required.tenantId, accountId });
  if (other === undefined && (required.isLinked || methodsOf(await factorsFindIn(tx, accountId)).length === 0))
    throw errors.provider_required({ facts: { provider: required.id } });
  return organisation?.id === required.tenantId ? (other ?? null) : organisation;
}

/** The organisation that its provider opens to the account, which may not have an address outside of its domains meanwhile. */
export async function organisationLeftBy(
  tx: Tx,
  { accountId, from, to }: { accountId: string; from: string; to: string },
): Promise<{ providerId: string; tenantId: string } | undefined> {
  const required = await identityProviderRequired(tx, { accountId, domain: domainOf(from) });
  if (required === undefined || (await domainIsVerified(tx, required.tenantId, domainOf(to)))) return undefined;
  return { providerId: required.id, tenantId: required.tenantId };
}

/** Who gets in by the provider for their domain's sake is no guest by an address of another one. @throws APIError provider_required. */
export async function assertMayMove(tx: Tx, moving: Parameters<typeof organisationLeftBy>[1]): Promise<void> {
  const left = await organisationLeftBy(tx, moving);
  if (left !== undefined) throw errors.provider_required({ facts: { provider: left.providerId } });
}
