// The provider of an organisation: setting it up, changing it, removing it. An owner's matter, because who chooses the provider
// can be any member. What is set up is asked first, so a mistyped issuer is told here and not to those who sign in; only
// organisations with a verified domain can make us ask. The client's secret goes in and never out, and to another issuer
// or client it goes only when it is given again.
import { z } from "zod";
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { flags } from "../config";
import { newId } from "../db/ids";
import { withSystem, withTenant } from "../db/tenant";
import { identityProviderChanged, identityProviderRemoved } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { putSecretIn, readSecret, removeSecretIn } from "../secrets/tenant-secret";
import { canSendMail } from "../mail/mailer";
import { parseInput } from "../security/input";
import { commonErrors } from "../security/common-errors";
import type { Principal } from "../security/principal";
import { lockActing } from "./acting-now";
import { endRefused } from "./entrance";
import { errors } from "./errors";
import { CLIENT_SECRET } from "./oidc/organisation-provider";
import { oidcClients, type OidcClients } from "./oidc/providers";
import { tellOwners } from "./owner-notices";
import { assertWayInBeside } from "./sign-in-methods";
import { domainIsVerified } from "./store/domains";
import { identityDeleteOfProvider } from "./store/identities";
import {
  identityProviderDelete,
  identityProviderOf,
  identityProviderOfIn,
  identityProviderPut,
  type DefaultRole,
  type IdentityProviderRow,
} from "./store/identity-providers";

const changed = defineAction("auth.identity_provider.changed", {
  issuer: "plain",
  clientId: "plain",
  defaultRole: "plain",
  isRequired: "plain",
  isSecretChanged: "plain",
});
const removed = defineAction("auth.identity_provider.removed", { issuer: "plain" });

export interface IdentityProviderInput {
  issuer: string;
  clientId: string;
  clientSecret?: string | undefined;
  defaultRole: DefaultRole;
  isRequired: boolean;
}

const input = z.object({
  // It stands in mails to owners: an address, and no text.
  issuer: z
    .string()
    .min(1, "is empty")
    .max(500, "is longer than 500 characters")
    .regex(/^[!-~]*$/, "is no address: blanks, line ends and other letters than ASCII don't belong there"),
  clientId: z.string().min(1, "is empty").max(500, "is longer than 500 characters"),
  clientSecret: z.string().min(1, "is empty").max(2_000, "is longer than 2000 characters").optional(),
  defaultRole: z.enum(["admin", "member", "viewer"]),
  isRequired: z.boolean(),
});

const about = ({ tenantId }: Principal, id: string): Parameters<typeof emit>[3] => ({
  aggregateType: "identity-provider",
  aggregateId: id,
  tenantId,
});
const target = (id: string): { type: string; id: string } => ({ type: "identity_provider", id });

/** @throws APIError identity_provider_not_found. */
export async function readIdentityProvider(principal: Principal): Promise<IdentityProviderRow> {
  const found = await identityProviderOf(principal);
  if (found === undefined) throw errors.identity_provider_not_found();
  return found;
}

/** @throws APIError own_provider_off, invalid_request, domain_required, oidc_unavailable, oidc_failed, service_unavailable. */
export async function setIdentityProvider(
  principal: Principal,
  wanted: IdentityProviderInput,
  clients: OidcClients = oidcClients,
): Promise<IdentityProviderRow> {
  const { tenantId } = principal;
  if (!flags.isOn("ownProvider", tenantId)) throw errors.own_provider_off();
  const { clientSecret, ...given } = parseInput(input, wanted);
  if (!(await withTenant(principal, (tx) => domainIsVerified(tx, tenantId)))) throw errors.domain_required();
  const present = await identityProviderOf(principal);
  if (clientSecret === undefined) assertSame(present, given);
  const provider: IdentityProviderRow = { ...given, id: present?.id ?? newId(), tenantId };
  const secret = clientSecret ?? (await readSecret(principal, CLIENT_SECRET)).reveal();
  await ask(clients, provider, secret, principal);
  return store(principal, provider, clientSecret);
}

/** The secret that is stored was given for this issuer and client alone. @throws APIError invalid_request. */
function assertSame(
  present: IdentityProviderRow | undefined,
  { issuer, clientId }: Pick<IdentityProviderRow, "issuer" | "clientId">,
): void {
  if (present?.issuer !== issuer || present.clientId !== clientId)
    throw commonErrors.invalid_request({ fields: { clientSecret: "is to be given with another issuer or clientId" } });
}

/** What it says of itself. */
async function ask(clients: OidcClients, provider: IdentityProviderRow, clientSecret: string, { tenantId }: Principal) {
  const { id, issuer, clientId } = provider;
  const asked = { id, name: id, issuer, clientId, clientSecret, trust: "organisation", tenantId } as const;
  await clients.use(asked, () => Promise.resolve());
}

/** Decided by what is stored by now: another owner may have set it up, or removed it, while the provider was asked. */
async function store(
  principal: Principal,
  asked: IdentityProviderRow,
  clientSecret: string | undefined,
): Promise<IdentityProviderRow> {
  const { issuer, clientId, defaultRole, isRequired } = asked;
  return withSystem("change-identity-provider", async (tx) => {
    const { tenantId } = principal;
    await lockActing(tx, principal, "identity_provider.manage");
    const present = await identityProviderOfIn(tx, tenantId);
    if (clientSecret === undefined) assertSame(present, asked);
    const provider = { ...asked, id: present?.id ?? asked.id };
    const { id } = provider;
    await identityProviderPut(tx, provider);
    // Identities are no tenant's: those of another issuer are nobody's any more.
    await identityDeleteOfProvider(tx, id, issuer);
    // Whoever is in by what counts no more is out within two seconds, and all others stay.
    if (present?.issuer !== issuer || (isRequired && !present.isRequired)) await endRefused(tx, tenantId);
    const payload = { organisationId: tenantId, identityProviderId: id, issuer, defaultRole, isRequired };
    await emit(tx, identityProviderChanged, payload, about(principal, id));
    if (clientSecret !== undefined) await putSecretIn(tx, principal, CLIENT_SECRET, clientSecret);
    const fields = { issuer, clientId, defaultRole, isRequired, isSecretChanged: clientSecret !== undefined };
    await record(tx, changed, { tenantId, target: target(id), fields });
    const isNews =
      present?.issuer !== issuer || present.isRequired !== isRequired || present.defaultRole !== defaultRole;
    if (isNews) await tellOwners(tx, tenantId, "provider-changed", issuer);
    return provider;
  });
}

/** Nobody signs in by it any more; accounts stay, and members do. @throws APIError identity_provider_not_found, only_way_in. */
export async function removeIdentityProvider(principal: Principal, canMail = canSendMail()): Promise<void> {
  const { tenantId, subjectId } = principal;
  const { issuer } = await readIdentityProvider(principal);
  await withSystem("remove-identity-provider", async (tx) => {
    await lockActing(tx, principal, "identity_provider.manage");
    await assertWayInBeside(tx, { accountId: subjectId, tenantId, canMail });
    const id = await identityProviderDelete(tx, tenantId);
    if (id === undefined) throw errors.identity_provider_not_found();
    await identityDeleteOfProvider(tx, id, null);
    await endRefused(tx, tenantId);
    const payload = { organisationId: tenantId, identityProviderId: id };
    await emit(tx, identityProviderRemoved, payload, about(principal, id));
    await removeSecretIn(tx, principal, CLIENT_SECRET);
    await record(tx, removed, { tenantId, target: target(id), fields: { issuer } });
    await tellOwners(tx, tenantId, "provider-removed", issuer);
  });
}
