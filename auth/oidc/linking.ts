// Which account an identity elsewhere signs in to. It is known by provider, issuer and subject; an e-mail only makes the
// first acquaintance, and only where both sides vouch for it: the provider says that the person reads its mails, and the
// account's address was verified by us. An account whose address nobody verified is handed to whom the provider vouches
// for, without anything by which its maker could come back (Pre-hijacked Accounts, USENIX Security 2022). In every other
// case the person signs in as before and links by hand: better-auth's CVE-2024-56734 line of advisories and "nOAuth"
// (Descope, 2023) began with an e-mail that was taken at its word. An account with a second factor is never linked by
// e-mail: its owner chose to be asked for more. What an organisation's provider may do beside that: provisioning.ts.
import { newId } from "../../db/ids";
import { withSystem, type Tx } from "../../db/tenant";
import { identityLinked } from "../../events/catalog/auth";
import { defineAction } from "../../audit/action";
import { isEmail } from "../../mail/email";
import { handOver } from "../account-handover";
import { errors } from "../errors";
import { tell } from "../factors/notices";
import { methodsOf } from "../factors/requirement";
import { requestMail } from "../jobs";
import {
  accountClaim,
  accountFindForUpdate,
  accountFindIdByEmail,
  accountInsert,
  accountIsAddressReserved,
  accountSetVerified,
} from "../store/accounts";
import { factorsFindIn } from "../store/factors";
import { membershipHasOther } from "../store/memberships";
import { identityFind, identityInsert, identitySetUsed, type How } from "../store/identities";
import type { Claims } from "./claims";
import { assertMember, assertSpeaksFor, provision } from "./provisioning";
import type { Provider } from "./providers";

const linked = defineAction("auth.identity.linked", { identityId: "plain", provider: "plain", how: "plain" });

/** Lost races of two sign-ins of one person, each of which stores what the other then finds. */
const TRIES = 3;

/** The account, and by which of its identities. */
interface Linked {
  accountId: string;
  identityId: string;
}

/**
 * The account, which is made, linked or handed over where that is due.
 * @throws APIError oidc_link_required, oidc_email_missing, email_taken; oidc_address_refused, oidc_membership_ended.
 */
export async function accountOf(provider: Provider, claims: Claims, now: Date): Promise<Linked> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const found = await withSystem("oidc-sign-in", (tx) => resolve(tx, provider, claims, now));
    if (found !== undefined) return found;
  }
  throw errors.oidc_unavailable({ internal: "others store the same person all the time" });
}

/** Undefined when another transaction was first. */
async function resolve(tx: Tx, provider: Provider, claims: Claims, now: Date): Promise<Linked | undefined> {
  const { issuer, subject, email } = claims;
  const { tenantId } = provider;
  const known = await identityFind(tx, { provider: provider.id, issuer, subject });
  if (tenantId !== undefined) await assertSpeaksFor(tx, tenantId, claims, known?.accountId);
  if (known !== undefined) {
    if (tenantId !== undefined) await assertMember(tx, { tenantId, accountId: known.accountId });
    await identitySetUsed(tx, known.id);
    return { accountId: known.accountId, identityId: known.id };
  }
  // Who is known signs in by whatever address their directory gives them; a new account gets mails.
  if (email === undefined || !isEmail(email)) throw errors.oidc_email_missing();
  // Who has a domain's mails in hand could have any of its addresses verified: having it verified vouches for them.
  const vouched = tenantId === undefined ? claims : { ...claims, isEmailVerified: true };
  const newcomer = { provider, claims: vouched, email };
  const holder = await accountFindIdByEmail(tx, email);
  const found = holder === undefined ? await register(tx, newcomer, now) : await adopt(tx, newcomer, holder);
  if (found === undefined) return undefined;
  const { accountId, identityId, how } = found;
  if (tenantId !== undefined) await provision(tx, { providerId: provider.id, issuer, tenantId, accountId });
  await tellLinked(tx, { provider, claims, accountId, how }, { id: identityId, tenantId: null });
  return { accountId, identityId };
}

/** Of now; whoever made it tells of it. */
type NewlyLinked = Linked & { how: How };

interface Newcomer {
  provider: Provider;
  claims: Claims;
  email: string;
}

/**
 * An account without a password, which belongs to no organisation yet.
 * @throws APIError email_taken for an address that another account can still take back.
 */
async function register(tx: Tx, { provider, claims, email }: Newcomer, now: Date): Promise<NewlyLinked | undefined> {
  const accountId = newId();
  if (!(await accountInsert(tx, { id: accountId, email, passwordHash: null, createdAt: now }))) {
    if (await accountIsAddressReserved(tx, { id: accountId, email }))
      throw errors.email_taken({ internal: "another account can still take the address back" });
    return undefined;
  }
  if (claims.isEmailVerified) await accountSetVerified(tx, { id: accountId, email });
  else await requestMail(tx, { kind: "verify-email", accountId });
  const how = "registered";
  return { accountId, identityId: await insertIdentity(tx, { provider, claims, accountId, how }), how };
}

/** @throws APIError oidc_link_required. */
async function adopt(tx: Tx, { provider, claims, email }: Newcomer, id: string): Promise<NewlyLinked | undefined> {
  if (!claims.isEmailVerified)
    throw errors.oidc_link_required({ internal: "the provider does not vouch for the address" });
  const account = await accountFindForUpdate(tx, id);
  if (account?.email !== email) return undefined;
  const { tenantId } = provider;
  if (tenantId !== undefined && (await membershipHasOther(tx, { tenantId, accountId: id })))
    throw linkRequired(provider, "the account belongs to other organisations too");
  if (account.isVerified && methodsOf(await factorsFindIn(tx, id)).length > 0)
    throw linkRequired(provider, "the account has a second factor");
  if (!account.isVerified) {
    await handOver(tx, id, "claimed", tenantId);
    await accountClaim(tx, id);
  }
  const how = account.isVerified ? "matched" : "claimed";
  return { accountId: id, identityId: await insertIdentity(tx, { provider, claims, accountId: id, how }), how };
}

/** Who signs in another way first is told the id to link by. */
const linkRequired = ({ id }: Provider, internal: string): Error =>
  errors.oidc_link_required({ internal, facts: { provider: id } });

interface Link {
  provider: Provider;
  claims: Claims;
  accountId: string;
  how: How;
}

/** Links it; the caller tells of it. @throws APIError identity_taken. */
export async function insertIdentity(tx: Tx, { provider, claims, accountId, how }: Link): Promise<string> {
  const id = newId();
  const { issuer, subject } = claims;
  const email = claims.email !== undefined && isEmail(claims.email) ? claims.email : null;
  const identity = { id, accountId, provider: provider.id, issuer, subject, email, how };
  if (!(await identityInsert(tx, identity))) throw errors.identity_taken();
  return id;
}

/** Behind the locks of organisations: it writes to a log. */
export function tellLinked(
  tx: Tx,
  { provider, accountId, how }: Link,
  { id, tenantId }: { id: string; tenantId: string | null },
): Promise<void> {
  const mail = how === "registered" ? null : "identity-linked";
  const facts = { identityId: id, provider: provider.id, how };
  return tell(tx, { accountId, tenantId }, { event: identityLinked, mail, action: linked, facts });
}
