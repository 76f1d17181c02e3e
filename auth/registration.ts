// Registering: an account, the organisation it owns or was invited to, and the first session, in one transaction with the
// events that tell of them.
import { z } from "zod";
import { UNKNOWN_ADDRESS } from "../security/client-ip";
import { commonErrors } from "../security/common-errors";
import { parseInput } from "../security/input";
import { tenantIdFrom } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { userRegistered } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { noteTry } from "./attempts";
import { requireEmail } from "./email";
import { errors } from "./errors";
import { findInvitation, joinByInvitation } from "./invitations";
import { requestMail } from "./jobs";
import { placeOf } from "./known-places";
import { chosenName } from "./normalised-name";
import { storeOrganisation, type NewOrganisation } from "./organisations";
import { BY_PASSWORD } from "./factors/methods";
import { screenPassword } from "./password-screen";
import { hashPassword } from "./passwords";
import { completeNewSignIn, openSession, type Member, type OpenedSession, type SignedIn } from "./sessions";
import { accountInsert, accountNotePlace } from "./store/accounts";
import { keyRing } from "./tokens";

export interface Registration {
  email: string;
  password: string;
  /** Name of the organisation to make. */
  organisation?: string | undefined;
  /** Instead of it: the token of a mailed invitation, to join that organisation. */
  invitation?: string | undefined;
}

/** A person signed in to the organisation they made or joined. */
export interface Registered extends SignedIn {
  organisation: NonNullable<SignedIn["organisation"]>;
}

/**
 * @throws APIError invalid_request, weak_password, invitation_not_found, email_taken. The last tells that an account
 * exists; an API that answers with tokens cannot hide it, so the limit policy "auth" makes asking slow. `address` is the caller's:
 * whoever registers a lot from there waits behind those who sign in.
 */
export async function register(
  input: Registration,
  now: Date,
  device: string | null = null,
  address?: string,
): Promise<Registered> {
  const email = requireEmail(input.email);
  const entrance = await entranceOf(input, email, now);
  const names = entrance.kind === "make" ? [entrance.organisation.name] : [];
  await screenPassword(input.password, { email, names });
  // Before looking whether the e-mail is taken: both answers take the same time.
  const rank = address === undefined ? 0 : noteTry(address, "registering").rank;
  const passwordHash = await hashPassword(input.password, rank);
  const account = { id: newId(), email, passwordHash, createdAt: now };
  // Before anything is stored: an account whose answer cannot be signed would be there all the same.
  await keyRing.signer();
  const opened = await onBehalfOf(`user:${account.id}`, () =>
    withSystem("register-new-tenant", (tx) => storeRegistration(tx, account, entrance, { device, address })),
  );
  if (opened === undefined) throw errors.email_taken();
  const { organisation, ...signedIn } = await completeNewSignIn(opened, now);
  if (organisation === null) throw new Error("registered without an organisation");
  return { ...signedIn, organisation };
}

/** How an account comes to its first organisation: it makes one, or was invited to it. */
type Entrance = { kind: "make"; organisation: NewOrganisation } | { kind: "join"; token: string; tenantId: string };

async function entranceOf({ organisation, invitation }: Registration, email: string, now: Date): Promise<Entrance> {
  if (invitation === undefined) {
    const { organisation: name } = parseInput(z.object({ organisation: chosenName }), { organisation });
    return { kind: "make", organisation: { id: newId(), name, createdAt: now } };
  }
  if (organisation !== undefined)
    throw commonErrors.invalid_request({ fields: { organisation: "is not named by who accepts an invitation" } });
  const { tenantId } = await findInvitation(invitation, email);
  return { kind: "join", token: invitation, tenantId };
}

/** Undefined when the e-mail is taken. */
async function storeRegistration(
  tx: Tx,
  account: Parameters<typeof accountInsert>[1],
  entrance: Entrance,
  { device, address = UNKNOWN_ADDRESS }: { device: string | null; address?: string | undefined },
): Promise<OpenedSession | undefined> {
  if (!(await accountInsert(tx, account))) return undefined;
  const { id: accountId, email } = account;
  const place = placeOf(accountId, address);
  if (place !== undefined) accountNotePlace(tx, accountId, place);
  const organisation =
    entrance.kind === "make"
      ? await storeOrganisation(tx, entrance.organisation, accountId)
      : await joinByInvitation(tx, { accountId, email, token: entrance.token, tenantId: entrance.tenantId });
  const about = { aggregateType: "user", aggregateId: accountId, tenantId: tenantIdFrom(organisation.id) };
  const payload = { userId: accountId, organisationId: organisation.id, organisationName: organisation.name };
  await emit(tx, userRegistered, payload, about);
  if (entrance.kind === "make") await requestMail(tx, { kind: "verify-email", accountId });
  const member: Member = { accountId, email, organisation };
  return openSession(tx, member, device, BY_PASSWORD);
}
