// Each change of how an account is signed in to, of its sessions and of where it is a member, by its endpoint, with what it needs,
// which is there before. What becomes of it when the session has ended is asked in ended-sessions.test.ts; asked-again.test.ts
// holds that none is missing.
import { auth } from "~encore/clients";
import { URI, type TOTP } from "otpauth";
import { systemQuery } from "../../db/tenant";
import { callerFrom } from "../../security/principal";
import { beginLink, completeLink } from "../oidc/identities";
import type { OidcClients } from "../oidc/providers";
import { register, type Registered } from "../registration";
import { signIn } from "../sessions";
import { Authenticator } from "./authenticator";
import { as } from "./callers";
import { mailedToken } from "./mails";
import type { StartedProvider } from "./openid-provider";
import type { Act, By } from "./organisation-changes";
import { here, newcomer, password } from "./people";

export interface Someone {
  ada: Registered;
  by: By;
  acme: StartedProvider;
  clients: OidcClients;
}

const appOf = async (by: By): Promise<TOTP> => URI.parse((await auth.beginTotp(by)).uri) as TOTP;
async function withApp(by: By): Promise<void> {
  await auth.confirmTotp({ code: (await appOf(by)).generate() }, by);
}
async function passkeyFor(by: By): Promise<() => Promise<{ id: string }>> {
  const { challenge, options } = await auth.beginPasskey(by);
  const attestation = new Authenticator().create(options);
  return () => auth.addPasskey({ challenge, name: "Telephone", attestation }, by);
}
async function identityOf({ user: { id } }: Registered): Promise<string> {
  const [identity] = await systemQuery<{ id: string }>(
    "test",
    `insert into auth.identity (id, account_id, provider, issuer, subject, how)
     values (gen_random_uuid(), $1, 'p', 'https://p.example', $2, 'linked') returning id`,
    [id, id],
  );
  return identity?.id ?? "";
}
/** Another sign-in of theirs. */
const elsewhere = async ({ user: { email } }: Registered): Promise<string> =>
  (await as(await signIn({ email, password }, new Date(), here))).authData.sessionId ?? "";
/** A colleague's organisation, which they are asked to join. */
async function invited({ user: { email } }: Registered): Promise<{ id: string; token: string }> {
  const bob = await register(newcomer(), new Date());
  await auth.inviteMember({ email, role: "viewer" }, await as(bob));
  return { id: bob.organisation.id, token: await mailedToken(email) };
}

/** What needs nothing. */
const at =
  (act: (someone: Someone) => Promise<unknown>) =>
  (someone: Someone): Promise<Act> =>
    Promise.resolve(() => act(someone));

export const accountChanges: Record<string, (someone: Someone) => Promise<Act>> = {
  "auth.beginTotp": at(({ by }) => auth.beginTotp(by)),
  "auth.confirmTotp": async ({ by }) => {
    const app = await appOf(by);
    return () => auth.confirmTotp({ code: app.generate() }, by);
  },
  "auth.removeTotp": async ({ by }) => {
    await withApp(by);
    return () => auth.removeTotp(by);
  },
  "auth.replaceRecoveryCodes": async ({ by }) => {
    await withApp(by);
    return () => auth.replaceRecoveryCodes(by);
  },
  "auth.addPasskey": ({ by }) => passkeyFor(by),
  "auth.renamePasskey": async ({ by }) => {
    const { id } = await (await passkeyFor(by))();
    return () => auth.renamePasskey({ id, name: "Another" }, by);
  },
  "auth.removePasskey": async ({ by }) => {
    const { id } = await (await passkeyFor(by))();
    return () => auth.removePasskey({ id }, by);
  },
  "auth.linkIdentity": async ({ by, ada, acme, clients }) => {
    const caller = callerFrom(by.authData);
    const begun = await beginLink(caller, { provider: "acme", browser: undefined }, new Date(), clients);
    const url = await acme.visit(begun.url, { sub: ada.user.id, email: ada.user.email, email_verified: true });
    return () => completeLink(caller, { url, browser: begun.browser }, new Date(), clients);
  },
  "auth.unlinkIdentity": async ({ by, ada }) => {
    const id = await identityOf(ada);
    return () => auth.unlinkIdentity({ id }, by);
  },
  "auth.changeEmail": at(({ by }) => auth.changeEmail({ email: newcomer().email }, by)),
  "auth.changePassword": at(({ by }) =>
    auth.changePassword({ current: password, password: "another fine passphrase" }, by),
  ),
  "auth.deleteAccount": at(({ by }) => auth.deleteAccount(by)),
  "auth.stepUp": at(({ by }) => auth.stepUp({ password }, by)),
  "auth.logout": async ({ by, ada }) => {
    await elsewhere(ada);
    return () => auth.logout({ everywhere: true }, by);
  },
  "auth.endSession": async ({ by, ada }) => {
    const id = await elsewhere(ada);
    return () => auth.endSession({ id }, by);
  },
  "auth.endOtherSessions": async ({ by, ada }) => {
    await elsewhere(ada);
    return () => auth.endOtherSessions(by);
  },
  "auth.switchTo": at(({ by, ada }) => auth.switchTo({ organisationId: ada.organisation.id }, by)),
  "auth.createOrganisation": at(({ by }) => auth.createOrganisation({ name: "One more" }, by)),
  "auth.acceptInvitation": async ({ by, ada }) => {
    const { token } = await invited(ada);
    return () => auth.acceptInvitation({ token }, by);
  },
  "auth.leaveOrganisation": async ({ by, ada }) => {
    const { id, token } = await invited(ada);
    await auth.acceptInvitation({ token }, by);
    return () => auth.leaveOrganisation({ id }, by);
  },
  "auth.restoreOrganisation": async ({ by }) => {
    const { id } = await auth.createOrganisation({ name: "One more" }, by);
    await auth.deleteOrganisation({ id }, await as(await auth.switchTo({ organisationId: id }, by)));
    return () => auth.restoreOrganisation({ id }, by);
  },
};

/** All that these may change. */
export const accountState = ({ user: { id } }: Registered): Promise<unknown[]> =>
  systemQuery(
    "test",
    `select a.email, a.password_hash, a.purge_at,
            (select jsonb_build_array(encode(t.secret_sealed, 'hex'), t.confirmed_at) from auth.totp t where t.account_id = a.id) as totp,
            (select string_agg(encode(r.hash, 'hex'), ' ' order by r.hash) from auth.recovery_code r where r.account_id = a.id) as codes,
            (select jsonb_agg(p.name) from auth.passkey p where p.account_id = a.id) as passkeys,
            (select count(*)::int from auth.identity i where i.account_id = a.id) as identities,
            (select count(*)::int from auth.one_time_token o where o.account_id = a.id and o.purpose = 'change-email') as moves,
            (select jsonb_agg(jsonb_build_array(s.id, s.revoked_at, s.authenticated_at, s.amr) order by s.id)
               from auth.session s where s.account_id = a.id) as sessions,
            (select jsonb_agg(jsonb_build_array(m.tenant_id, m.role, o.purge_at) order by m.tenant_id)
               from auth.membership m join auth.organisation o on o.id = m.tenant_id where m.account_id = a.id) as memberships
     from auth.account a where a.id = $1`,
    [id],
  );
