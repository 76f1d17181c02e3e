// Registering: an account, the organisation it owns, and the first session, in one transaction with the events
// that tell of them.
import { z } from "zod";
import { commonErrors } from "../security/common-errors";
import { parseInput } from "../security/input";
import { tenantIdFrom } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { userRegistered } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { normaliseEmail } from "./email";
import { errors } from "./errors";
import { requestMail } from "./jobs";
import { organisationName, storeOrganisation, type NewOrganisation } from "./organisations";
import { BY_PASSWORD } from "./factors/methods";
import { hashPassword, passwordProblem } from "./passwords";
import { completeSignIn, openSession, type Member, type OpenedSession, type SignedIn } from "./sessions";
import { accountInsert } from "./store/accounts";
import { keyRing } from "./tokens";

export interface Registration {
  email: string;
  password: string;
  organisation: string;
}

/** A person signed in to the organisation they made. */
export interface Registered extends SignedIn {
  organisation: NonNullable<SignedIn["organisation"]>;
}

/**
 * @throws APIError invalid_request, weak_password, email_taken. The last tells that an account exists; an API that
 * answers with tokens cannot hide it, so the limit policy "auth" makes asking slow.
 */
export async function register(input: Registration, now: Date, device: string | null = null): Promise<Registered> {
  const { organisation: name } = parseInput(z.object({ organisation: organisationName }), {
    organisation: input.organisation,
  });
  const email = normaliseEmail(input.email);
  if (email === undefined) throw commonErrors.invalid_request({ fields: { email: "is not an e-mail address" } });
  const problem = passwordProblem(input.password, email);
  if (problem !== undefined) throw errors.weak_password({ fields: { password: problem } });
  // Before looking whether the e-mail is taken: both answers take the same time.
  const passwordHash = await hashPassword(input.password);
  const account = { id: newId(), email, passwordHash, createdAt: now };
  // Before anything is stored: an account whose answer cannot be signed would be there all the same.
  await keyRing.signer();
  const opened = await onBehalfOf(`user:${account.id}`, () =>
    withSystem("register-new-tenant", (tx) =>
      storeRegistration(tx, account, { id: newId(), name, createdAt: now }, device),
    ),
  );
  if (opened === undefined) throw errors.email_taken();
  const { organisation, ...signedIn } = await completeSignIn(opened, now);
  if (organisation === null) throw new Error("registered without an organisation");
  return { ...signedIn, organisation };
}

/** Undefined when the e-mail is taken. */
async function storeRegistration(
  tx: Tx,
  account: Parameters<typeof accountInsert>[1],
  organisation: NewOrganisation,
  device: string | null,
): Promise<OpenedSession | undefined> {
  if (!(await accountInsert(tx, account))) return undefined;
  const member: Member = {
    accountId: account.id,
    email: account.email,
    organisation: await storeOrganisation(tx, organisation, account.id),
  };
  const about = { aggregateType: "user", aggregateId: account.id, tenantId: tenantIdFrom(organisation.id) };
  const { id: organisationId, name: organisationName } = organisation;
  await emit(tx, userRegistered, { userId: account.id, organisationId, organisationName }, about);
  await requestMail(tx, { kind: "verify-email", accountId: account.id });
  return openSession(tx, member, device, BY_PASSWORD);
}
