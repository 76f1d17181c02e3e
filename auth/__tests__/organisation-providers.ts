// Organisations with a verified domain and an OpenID provider of their own, for tests.
import { auth } from "~encore/clients";
import { registerCaller, type RegisteredCaller } from "../../testing";
import { verifyDomain } from "../domains/domains";
import { setIdentityProvider } from "../identity-provider";
import { organisationProvider } from "../oidc/organisation-provider";
import { OidcClients } from "../oidc/providers";
import { redirectUriOf } from "../oidc/state";
import { register } from "../registration";
import type { SignedIn } from "../sessions";
import { mailedToken, verifyAddressOf } from "./mails";
import { CLIENT, startOpenIdProvider, type StartedProvider } from "./openid-provider";
import { password } from "./people";

export const clients = new OidcClients({
  timeoutMs: 10_000,
  allowLoopback: true,
  providers: () => [],
  ofOrganisation: organisationProvider,
});
export const usual = { ...CLIENT, defaultRole: "member", isRequired: false } as const;
/** Tells the domains of one test file from those of others. */
export const file = crypto.randomUUID().slice(0, 8);

export interface Organisation {
  owner: RegisteredCaller;
  domain: string;
  domainId: string;
  provider: StartedProvider;
  id: string;
}
export const verified = async (owner: RegisteredCaller, name: string): Promise<string> => {
  const { id, record } = await auth.addDomain({ domain: name }, owner);
  await verifyDomain(owner.principal, id, () => Promise.resolve([record.value]));
  return id;
};
/** One whose provider runs here; `elsewhere` is another, for while its own has no redirect address yet. */
export async function organisation(name: string, elsewhere: StartedProvider): Promise<Organisation> {
  const owner = await registerCaller(name);
  await verifyAddressOf(owner);
  const domain = `${name}-${file}.example.com`;
  const domainId = await verified(owner, domain);
  // Its id, and with it the redirect address, is known once something is set up.
  const { id } = await setIdentityProvider(owner.principal, { ...usual, issuer: elsewhere.issuer }, clients);
  const provider = await startOpenIdProvider([redirectUriOf({ id })]);
  await setIdentityProvider(owner.principal, { ...usual, issuer: provider.issuer }, clients);
  return { owner, domain, domainId, provider, id };
}

/** With a password, verified, and of the organisation alone when it is invited by one. */
export async function colleague(email: string, of?: RegisteredCaller): Promise<SignedIn> {
  if (of === undefined) {
    const ada = await register({ email, password, organisation: "Own" }, new Date());
    await auth.verifyEmail({ token: await mailedToken(email) });
    return ada;
  }
  await auth.inviteMember({ email, role: "viewer" }, of);
  return register({ email, password, invitation: await mailedToken(email) }, new Date());
}
