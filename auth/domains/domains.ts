// Domains of an organisation, which it shows to be its own by a TXT record with a token. States of one:
//   added     anybody may say that a domain is theirs; nothing follows from it
//   verified  the record was there; one organisation has a domain verified, and its provider may vouch for the people there
//   lost      the record was missing for three days at each look, or the domain's name servers failed for two weeks
//             (recheck.ts), or another organisation showed its own record while ours was gone, as when a domain is sold;
//             as added again
// Owners are told by mail before and when a domain is lost or given up: then its people get in another way, or not at all.
// One record for each domain, and its state with it: where several domains share one state, adding another makes those
// before unverified (better-auth #10784). Without any verification whoever registers a provider takes over accounts of
// strangers (better-auth #5543, saas-starter-kit #2577; https://workos.com/docs/sso/domains says why).
import { randomBytes } from "node:crypto";
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import { DbError } from "../../db/errors";
import { newId } from "../../db/ids";
import { withSystem, type Tx } from "../../db/tenant";
import { domainAdded, domainLost, domainRemoved, domainVerified } from "../../events/catalog/auth";
import { emit } from "../../events/outbox";
import { canSendMail } from "../../mail/mailer";
import { commonErrors } from "../../security/common-errors";
import { RestingError } from "../../security/fair-turns";
import { tenantIdFrom, type Principal } from "../../security/principal";
import { lockActing } from "../acting-now";
import { endRefused } from "../entrance";
import { errors } from "../errors";
import { tellOwners } from "../owner-notices";
import { assertWayInBeside } from "../sign-in-methods";
import {
  domainCount,
  domainDelete,
  domainFind,
  domainFindHolder,
  domainInsert,
  domainLose,
  domainSetVerified,
  type DomainRow,
} from "../store/domains";
import { membershipLock } from "../store/memberships";
import { lookUps, type TxtLookup } from "./dns";
import { parseDomain, recordOf, shows } from "./name";

export const DOMAINS_PER_ORGANISATION_MAX = 50;

const added = defineAction("auth.domain.added", { domain: "plain" });
const verified = defineAction("auth.domain.verified", { domain: "plain" });
const lost = defineAction("auth.domain.lost", { domain: "plain", reason: "plain" });
const removed = defineAction("auth.domain.removed", { domain: "plain", wasVerified: "plain" });

const about = (tenantId: string, id: string): Parameters<typeof emit>[3] => ({
  aggregateType: "domain",
  aggregateId: id,
  tenantId: tenantIdFrom(tenantId),
});
const target = (id: string): { type: string; id: string } => ({ type: "domain", id });

/** @throws APIError invalid_request, domain_exists, too_many_domains. */
export async function addDomain(principal: Principal, text: string): Promise<DomainRow> {
  const name = parseDomain(text);
  if (name === undefined)
    throw commonErrors.invalid_request({
      fields: { domain: "is not a domain, as it stands behind the @ of addresses" },
    });
  const { tenantId } = principal;
  const domain = { id: newId(), tenantId, name, token: randomBytes(32).toString("base64url") };
  return withSystem("add-domain", async (tx) => {
    await lockActing(tx, principal, "domain.manage");
    if ((await domainCount(tx, tenantId)) >= DOMAINS_PER_ORGANISATION_MAX) throw errors.too_many_domains();
    const stored = await domainInsert(tx, domain);
    if (stored === undefined) throw errors.domain_exists();
    const payload = { organisationId: tenantId, domainId: domain.id, domain: name };
    await emit(tx, domainAdded, payload, about(tenantId, domain.id));
    await record(tx, added, { tenantId, target: target(domain.id), fields: { domain: name } });
    return stored;
  });
}

/**
 * Looks for the record now. One that is verified already stays so, whatever is found.
 * @throws APIError domain_not_found, domain_unproven, domain_taken, dns_unavailable, service_unavailable.
 */
export async function verifyDomain(
  principal: Principal,
  id: string,
  lookUp: TxtLookup = lookUps.people,
): Promise<DomainRow> {
  const domain = await domainFind(principal, id);
  if (domain === undefined) throw errors.domain_not_found();
  const { name } = recordOf(domain.name, domain.token);
  const texts = await lookUp(name, principal.tenantId).catch((error: unknown) => {
    if (error instanceof RestingError) throw errors.dns_unavailable({ retryAfterSeconds: error.retryAfterSeconds });
    throw error;
  });
  if (texts === undefined) throw errors.dns_unavailable();
  if (!shows(texts, domain.token)) throw errors.domain_unproven();
  const isFree = await setVerified(principal, domain);
  if (!isFree) {
    await takeFromHolder(domain, texts);
    if (!(await setVerified(principal, domain))) throw errors.domain_taken();
  }
  const found = await domainFind(principal, id);
  if (found === undefined) throw errors.domain_not_found();
  return found;
}

/** False when another organisation has it verified. */
async function setVerified(principal: Principal, { id, name }: DomainRow): Promise<boolean> {
  const { tenantId } = principal;
  try {
    await withSystem("verify-domain", async (tx) => {
      await lockActing(tx, principal, "domain.manage");
      const found = await domainSetVerified(tx, { tenantId, id });
      if (found === undefined) throw errors.domain_not_found();
      if (found.wasVerified) return;
      // A provider that is required is required of the people of this domain too from now on.
      await endRefused(tx, tenantId);
      await emit(tx, domainVerified, { organisationId: tenantId, domainId: id, domain: name }, about(tenantId, id));
      await record(tx, verified, { tenantId, target: target(id), fields: { domain: name } });
    });
    return true;
  } catch (error) {
    if (error instanceof DbError && error.constraint === "domain_verified") return false;
    throw error;
  }
}

/** Who shows the record now has the domain; both do where two organisations are one's own, and the first keeps it. */
async function takeFromHolder({ name }: DomainRow, texts: readonly string[]): Promise<void> {
  await withSystem("take-domain", async (tx) => {
    const found = await domainFindHolder(tx, name);
    if (found === undefined) return;
    await membershipLock(tx, found.tenantId);
    const holder = await domainFindHolder(tx, name);
    // Somebody else's by now, or nobody's: what follows tells.
    if (holder?.id !== found.id) return;
    if (shows(texts, holder.token)) throw errors.domain_taken();
    await loseDomain(tx, holder, "taken");
  });
}

/**
 * Nothing follows from the domain any more: who was in by its provider's word alone is out within two seconds. Where it is verified
 * no longer already, nothing happens. The caller holds membershipLock.
 */
export async function loseDomain(
  tx: Tx,
  { id, tenantId, name }: { id: string; tenantId: string; name: string },
  reason: "missing" | "unanswered" | "taken",
): Promise<boolean> {
  if (!(await domainLose(tx, { tenantId, id }))) return false;
  await endRefused(tx, tenantId);
  const told = reason === "unanswered" ? "missing" : reason;
  await emit(
    tx,
    domainLost,
    { organisationId: tenantId, domainId: id, domain: name, reason: told },
    about(tenantId, id),
  );
  await tellOwners(tx, tenantId, "domain-lost", name);
  const facts = { tenantId: tenantIdFrom(tenantId), target: target(id), fields: { domain: name, reason } };
  await record(tx, lost, facts);
  return true;
}

/** @throws APIError domain_not_found, only_way_in. */
export async function removeDomain(principal: Principal, id: string, canMail = canSendMail()): Promise<void> {
  const { tenantId, subjectId } = principal;
  // In the organisation's own scope first: row security stands behind what the system's scope is given.
  if ((await domainFind(principal, id)) === undefined) throw errors.domain_not_found();
  await withSystem("remove-domain", async (tx) => {
    await lockActing(tx, principal, "domain.manage");
    const gone = await domainDelete(tx, { tenantId, id });
    if (gone === undefined) throw errors.domain_not_found();
    const { name: domain, wasVerified } = gone;
    if (wasVerified) {
      await assertWayInBeside(tx, { accountId: subjectId, tenantId, domain, canMail });
      await endRefused(tx, tenantId);
    }
    await emit(tx, domainRemoved, { organisationId: tenantId, domainId: id, domain }, about(tenantId, id));
    await record(tx, removed, { tenantId, target: target(id), fields: { domain, wasVerified } });
    if (wasVerified) await tellOwners(tx, tenantId, "domain-lost", domain);
  });
}
