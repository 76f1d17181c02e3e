// Organisations: making one, those of an account, and choosing one. Choosing exchanges the caller's access token for a
// session of the same sign-in in the other organisation; the session it comes of stays as it is, so that two tabs in two
// organisations do not meet and a lost answer costs nothing. All of one sign-in end together (RFC 8693 is the model of
// the exchange).
import { z } from "zod";
import { record } from "../audit/record";
import { cfg } from "../config";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { organisationCreated } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { parseInput } from "../security/input";
import { tenantIdFrom, type Caller } from "../security/principal";
import { assertMayEnter } from "./entrance";
import { errors } from "./errors";
import { created } from "./known-organisations";
import { chosenName } from "./normalised-name";
import { familyOf } from "./refresh-family";
import { createRefreshToken, formatRefreshToken, hashSecret } from "./refresh-token";
import { endSurplus, lockLiving } from "./session-end";
import { completeSignIn, type SignedIn } from "./sessions";
import { accountFindForUpdate, accountLock, organisationInsert, type OrganisationRow } from "./store/accounts";
import { membershipCountOfAccount, membershipFind, membershipHold, membershipInsert } from "./store/memberships";
import { sessionInsertSibling, sessionProof } from "./store/sessions";
import { keyRing } from "./tokens";

/** Organisations that one account may belong to. */
export const ORGANISATIONS_PER_ACCOUNT_MAX = 100;
/** Sessions of one sign-in; a switch beyond them ends its oldest, and never one of another device. */
const SESSIONS_PER_SIGN_IN_MAX = 20;

export interface NewOrganisation {
  id: string;
  name: string;
  createdAt: Date;
}

/** The organisation with its first owner, and the event that tells of it. */
export async function storeOrganisation(tx: Tx, made: NewOrganisation, ownerId: string): Promise<OrganisationRow> {
  const { id, name, createdAt } = made;
  await organisationInsert(tx, made);
  await membershipInsert(tx, { tenantId: id, accountId: ownerId, role: "owner", createdAt });
  const tenantId = tenantIdFrom(id);
  const about = { aggregateType: "organisation", aggregateId: id, tenantId };
  await emit(tx, organisationCreated, { organisationId: id, name, ownerId }, about);
  await record(tx, created, { tenantId, target: { type: "organisation", id }, fields: { name } });
  const membership = await membershipFind(tx, { tenantId: id, accountId: ownerId });
  if (membership === undefined) throw new Error("no membership after making one");
  return membership;
}

/** @throws APIError invalid_request, too_many_organisations; invalid_token when the caller's session is over. */
export async function createOrganisation(
  caller: Caller,
  input: { name: string },
  now: Date,
): Promise<{ id: string; name: string; role: OrganisationRow["role"] }> {
  const { name } = parseInput(z.object({ name: chosenName }), input);
  const { role, id } = await withSystem("create-organisation", async (tx) => {
    await lockLiving(tx, caller);
    const held = await membershipCountOfAccount(tx, caller.subjectId);
    if (held >= ORGANISATIONS_PER_ACCOUNT_MAX) throw errors.too_many_organisations();
    return storeOrganisation(tx, { id: newId(), name, createdAt: now }, caller.subjectId);
  });
  return { id, name, role };
}

/** @throws APIError organisation_not_found, also for one that the caller does not belong to; provider_required, own_proof_required; invalid_token when the caller's session is over. */
export async function switchOrganisation(caller: Caller, tenantId: string, now: Date): Promise<SignedIn> {
  const accountId = caller.subjectId;
  if (caller.sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const from = { id: caller.sessionId, accountId, idleSeconds: cfg.auth.idleSeconds };
  await keyRing.signer();
  const sessionId = newId();
  const token = createRefreshToken(sessionId, familyOf(sessionId));
  const { member, authentication } = await withSystem("switch-organisation", async (tx) => {
    // Behind whatever ends the account's sessions at this moment: it ends this one too, or this one is not made.
    if (!(await accountLock(tx, accountId))) throw errors.invalid_token({ internal: "the account is being deleted" });
    const email = (await accountFindForUpdate(tx, accountId))?.email ?? "";
    await membershipHold(tx, tenantId);
    const organisation = await membershipFind(tx, { tenantId, accountId });
    if (organisation === undefined) throw errors.organisation_not_found();
    const proof = await sessionProof(tx, from);
    if (proof === undefined) throw errors.invalid_token({ internal: "the session is gone" });
    await assertMayEnter(tx, { ...proof, email, organisation });
    const hashes = { familyHash: hashSecret(token.family), secretHash: hashSecret(token.secret) };
    const made = await sessionInsertSibling(tx, from, { id: sessionId, tenantId, ...hashes });
    if (made === undefined) throw errors.invalid_token({ internal: "the session is over" });
    await endSurplus(tx, { accountId, of: "sign-in", made: sessionId, keep: SESSIONS_PER_SIGN_IN_MAX });
    return {
      member: { accountId, email, organisation },
      authentication: { amr: made.amr, at: made.authenticatedAt },
    };
  });
  return completeSignIn({ member, sessionId, refreshToken: formatRefreshToken(token), authentication }, now);
}
