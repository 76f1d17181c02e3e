// Each change of who may act in an organisation, of what it keeps secret, of what it may spend and of who is told elsewhere, by its endpoint, with what it
// needs, which is there before. What somebody needs whose right or session ends meanwhile is asked in acting-now.test.ts;
// asked-again.test.ts holds that none is missing.
import { ai, auth, secrets, webhooks } from "~encore/clients";
import { systemQuery } from "../../db/tenant";
import { principalFrom } from "../../security/principal";
import { verifyDomain } from "../domains/domains";
import { removeIdentityProvider, setIdentityProvider } from "../identity-provider";
import { register, type Registered } from "../registration";
import { as } from "./callers";
import { clients, usual } from "./organisation-providers";
import { newcomer } from "./people";

export type By = Awaited<ReturnType<typeof as>>;
export type Act = () => Promise<unknown>;

export interface Stage {
  ada: Registered;
  by: By;
  /** A member of Ada's organisation. */
  bob: string;
  /** Of a provider that answers. */
  issuer: string;
}

export async function stage(issuer: string): Promise<Stage> {
  const [ada, other] = [await register(newcomer(), new Date()), await register(newcomer(), new Date())];
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'member')", [
    ada.organisation.id,
    other.user.id,
  ]);
  return { ada, by: await as(ada), bob: other.user.id, issuer };
}

const permissions = ["document.read"];
const url = "https://hooks.example.com/";
const source = { name: "code", scheme: "github", secret: "a secret that is shared" } as const;
const newDomain = (): string => `${crypto.randomUUID().slice(0, 8)}.example`;

async function domainOf(by: By): Promise<() => Promise<{ id: string }>> {
  const { id, record } = await auth.addDomain({ domain: newDomain() }, by);
  return async () => {
    await verifyDomain(principalFrom(by.authData), id, () => Promise.resolve([record.value]));
    return { id };
  };
}
async function providerOf({ by, issuer }: Stage): Promise<Act> {
  await (
    await domainOf(by)
  )();
  return () => setIdentityProvider(principalFrom(by.authData), { ...usual, issuer }, clients);
}
const roleOf = (by: By): Promise<{ id: string }> => auth.createRole({ name: "Reader", permissions }, by);
const machineOf = (by: By): Promise<{ id: string }> =>
  auth.createServicePrincipal({ name: "Importer", permissions }, by);
const invitationBy = (by: By): Promise<{ id: string }> =>
  auth.inviteMember({ email: newcomer().email, role: "admin" }, by);
const budget = { id: "all", period: "day", limitMicroUsd: 1 } as const;

/** What needs nothing. */
const at =
  (act: (stage: Stage) => Promise<unknown>) =>
  (staged: Stage): Promise<Act> =>
    Promise.resolve(() => act(staged));

export const organisationChanges: Record<string, (stage: Stage) => Promise<Act>> = {
  "auth.inviteMember": at(({ by }) => invitationBy(by)),
  "auth.createUser": at(({ by }) => auth.createUser({ email: newcomer().email, role: "admin" }, by)),
  "auth.revokeInvitation": async ({ by }) => {
    const { id } = await invitationBy(by);
    return () => auth.revokeInvitation({ id }, by);
  },
  "auth.changeMember": at(({ by, bob }) => auth.changeMember({ userId: bob, role: "admin" }, by)),
  "auth.removeMember": at(({ by, bob }) => auth.removeMember({ userId: bob }, by)),
  "auth.updateUser": at(({ by, bob }) => auth.updateUser({ id: bob, role: "admin" }, by)),
  "auth.removeUser": at(({ by, bob }) => auth.removeUser({ id: bob }, by)),
  "auth.createRole": at(({ by }) => roleOf(by)),
  "auth.changeRole": async ({ by }) => {
    const { id } = await roleOf(by);
    return () => auth.changeRole({ id, permissions: ["document.write"] }, by);
  },
  "auth.deleteRole": async ({ by }) => {
    const { id } = await roleOf(by);
    return () => auth.deleteRole({ id }, by);
  },
  "auth.createApiKey": at(({ by }) => auth.createApiKey({ name: "a way in" }, by)),
  "auth.rotateApiKey": async ({ by }) => {
    const { id } = await auth.createApiKey({ name: "a way in" }, by);
    return () => auth.rotateApiKey({ id }, by);
  },
  "auth.revokeApiKey": async ({ by }) => {
    const { id } = await auth.createApiKey({ name: "somebody's" }, by);
    return () => auth.revokeApiKey({ id }, by);
  },
  "auth.createServicePrincipal": at(({ by }) => machineOf(by)),
  "auth.changeServicePrincipal": async ({ by }) => {
    const { id } = await machineOf(by);
    return () => auth.changeServicePrincipal({ id, permissions: ["document.write"] }, by);
  },
  "auth.deleteServicePrincipal": async ({ by }) => {
    const { id } = await machineOf(by);
    return () => auth.deleteServicePrincipal({ id }, by);
  },
  "auth.addDomain": at(({ by }) => auth.addDomain({ domain: newDomain() }, by)),
  "auth.verifyDomain": ({ by }) => domainOf(by),
  "auth.removeDomain": async ({ by }) => {
    const { id } = await auth.addDomain({ domain: newDomain() }, by);
    return () => auth.removeDomain({ id }, by);
  },
  "auth.setIdentityProvider": providerOf,
  "auth.removeIdentityProvider": async (staged) => {
    await (
      await providerOf(staged)
    )();
    return () => removeIdentityProvider(principalFrom(staged.by.authData));
  },
  "auth.renameOrganisation": at(({ by, ada }) =>
    auth.renameOrganisation({ id: ada.organisation.id, name: "Another" }, by),
  ),
  "auth.transferOrganisation": at(({ by, ada, bob }) =>
    auth.transferOrganisation({ id: ada.organisation.id, userId: bob }, by),
  ),
  "auth.deleteOrganisation": at(({ by, ada }) => auth.deleteOrganisation({ id: ada.organisation.id }, by)),
  "secrets.put": at(({ by }) => secrets.put({ name: "smtp", value: "another" }, by)),
  "secrets.remove": async ({ by }) => {
    await secrets.put({ name: "smtp", value: "one" }, by);
    return () => secrets.remove({ name: "smtp" }, by);
  },
  "secrets.rotate": async ({ by }) => {
    await secrets.put({ name: "smtp", value: "one" }, by);
    return () => secrets.rotate(by);
  },
  "ai.putBudget": at(({ by }) => ai.putBudget(budget, by)),
  "ai.removeBudget": async ({ by }) => {
    await ai.putBudget(budget, by);
    return () => ai.removeBudget({ id: budget.id }, by);
  },
  "webhooks.createEndpoint": at(({ by }) => webhooks.createEndpoint({ url }, by)),
  "webhooks.updateEndpoint": async ({ by }) => {
    const { id } = await webhooks.createEndpoint({ url }, by);
    return () => webhooks.updateEndpoint({ id, url: "https://other.example.com/" }, by);
  },
  "webhooks.rotateEndpoint": async ({ by }) => {
    const { id } = await webhooks.createEndpoint({ url }, by);
    return () => webhooks.rotateEndpoint({ id }, by);
  },
  "webhooks.createSource": at(({ by }) => webhooks.createSource(source, by)),
  "webhooks.updateSource": async ({ by }) => {
    const { id } = await webhooks.createSource(source, by);
    return () => webhooks.updateSource({ id, secret: "another secret of theirs" }, by);
  },
  "webhooks.removeSource": async ({ by }) => {
    const { id } = await webhooks.createSource(source, by);
    return () => webhooks.removeSource({ id }, by);
  },
  "webhooks.removeEndpoint": async ({ by }) => {
    const { id } = await webhooks.createEndpoint({ url }, by);
    return () => webhooks.removeEndpoint({ id }, by);
  },
};

const of = (table: string, as: string, order = "id"): string =>
  `(select jsonb_agg(${as} order by ${as}.${order}) from ${table} ${as} where ${as}.tenant_id = o.id)`;

/** All that these may change. */
export const organisationState = ({ ada }: Stage): Promise<unknown[]> =>
  systemQuery(
    "test",
    `select o.*, ${of("auth.membership", "m", "account_id")} as members, ${of("auth.invitation", "i")} as invitations,
            ${of("auth.role", "r")} as roles, ${of("auth.api_key", "k")} as keys,
            ${of("auth.service_principal", "s")} as machines, ${of("auth.domain", "d")} as domains,
            ${of("auth.identity_provider", "p")} as provider, ${of("secrets.secret", "x")} as secrets,
            ${of("secrets.tenant_key", "t")} as data_keys, ${of("ai.budget", "b", "name")} as budgets,
            ${of("webhooks.endpoint", "w")} as webhooks
       from auth.organisation o where o.id = $1`,
    [ada.organisation.id],
  );
