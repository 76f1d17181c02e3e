// Registering: an account, the organisation it owns, and the first session, in one transaction with the events
// that tell of them.
import { z } from "zod";
import { commonErrors } from "../security/common-errors";
import { parseInput } from "../security/input";
import { tenantIdFrom } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { organisationCreated, userRegistered } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { normaliseEmail } from "./email";
import { errors } from "./errors";
import { hashPassword, passwordProblem } from "./passwords";
import { completeSignIn, openSession, type Member, type OpenedSession, type SignedIn } from "./sessions";
import { accountInsert, membershipInsert, organisationInsert } from "./store";
import { keyRing } from "./tokens";

export interface Registration {
  email: string;
  password: string;
  organisation: string;
}

const organisationName = z
  .string()
  .transform((name) => name.normalize("NFC").trim())
  .pipe(
    z
      .string()
      .min(1, "is empty")
      .max(100, "is longer than 100 characters")
      .regex(/^[^\p{Cc}]*$/u, "has control characters"),
  );

/**
 * @throws APIError invalid_request, weak_password, email_taken. The last tells that an account exists; an API that
 * answers with tokens cannot hide it, so the limit policy "auth" makes asking slow.
 */
export async function register(input: Registration, now: Date): Promise<SignedIn> {
  const { organisation } = parseInput(z.object({ organisation: organisationName }), {
    organisation: input.organisation,
  });
  const email = normaliseEmail(input.email);
  if (email === undefined) throw commonErrors.invalid_request({ fields: { email: "is not an e-mail address" } });
  const problem = passwordProblem(input.password, email);
  if (problem !== undefined) throw errors.weak_password({ fields: { password: problem } });
  // Before looking whether the e-mail is taken: both answers take the same time.
  const passwordHash = await hashPassword(input.password);
  const member: Member = { accountId: newId(), email, tenantId: newId(), organisation, role: "owner" };
  // Before anything is stored: an account whose answer cannot be signed would be there all the same.
  await keyRing.signer(now);
  const opened = await onBehalfOf(`user:${member.accountId}`, () =>
    withSystem("register-new-tenant", (tx) => storeRegistration(tx, member, passwordHash, now)),
  );
  if (opened === undefined) throw errors.email_taken();
  return completeSignIn(opened, now);
}

/** Undefined when the e-mail is taken. */
async function storeRegistration(
  tx: Tx,
  member: Member,
  passwordHash: string,
  now: Date,
): Promise<OpenedSession | undefined> {
  const { accountId, email, tenantId, organisation, role } = member;
  if (!(await accountInsert(tx, { id: accountId, email, passwordHash, createdAt: now }))) return undefined;
  await organisationInsert(tx, { id: tenantId, name: organisation, createdAt: now });
  await membershipInsert(tx, { tenantId, accountId, role, createdAt: now });
  const about = { aggregateType: "organisation", aggregateId: tenantId, tenantId: tenantIdFrom(tenantId) };
  await emit(tx, organisationCreated, { organisationId: tenantId, name: organisation, ownerId: accountId }, about);
  await emit(
    tx,
    userRegistered,
    { userId: accountId, organisationId: tenantId, organisationName: organisation },
    { ...about, aggregateType: "user", aggregateId: accountId },
  );
  return openSession(tx, member);
}
