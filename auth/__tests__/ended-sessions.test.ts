// A session that was ended changes nothing of how its account is signed in to, nor ends the account, though its access token was
// let in a moment before. The attack: whoever is being put out has a request under way that adds what lets them in again.
import { auth } from "~encore/clients";
import { URI, type TOTP } from "otpauth";
import { expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { register, type Registered } from "../registration";
import { Authenticator } from "./authenticator";
import { as } from "./callers";
import { newcomer, password, reason } from "./people";

type By = Awaited<ReturnType<typeof as>>;
type Act = () => Promise<unknown>;

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

/** Each with what it needs, which is there before the session ends. */
const changes: Record<string, (by: By, ada: Registered) => Promise<Act>> = {
  "adds codes of an app": async (by) => {
    const app = await appOf(by);
    return () => auth.confirmTotp({ code: app.generate() }, by);
  },
  "removes codes of an app": async (by) => {
    await withApp(by);
    return () => auth.removeTotp(by);
  },
  "replaces recovery codes": async (by) => {
    await withApp(by);
    return () => auth.replaceRecoveryCodes(by);
  },
  "adds a passkey": passkeyFor,
  "removes a passkey": async (by) => {
    const { id } = await (await passkeyFor(by))();
    return () => auth.removePasskey({ id }, by);
  },
  "unlinks an account elsewhere": async (by, ada) => {
    const id = await identityOf(ada);
    return () => auth.unlinkIdentity({ id }, by);
  },
  "asks for another address": (by) => Promise.resolve(() => auth.changeEmail({ email: newcomer().email }, by)),
  "changes the password": (by) =>
    Promise.resolve(() => auth.changePassword({ current: password, password: "another fine passphrase" }, by)),
  "makes an API key": (by) => Promise.resolve(() => auth.createApiKey({ name: "a way in" }, by)),
  "rotates an API key": async (by) => {
    const { id } = await auth.createApiKey({ name: "a way in" }, by);
    return () => auth.rotateApiKey({ id }, by);
  },
  "revokes an API key": async (by) => {
    const { id } = await auth.createApiKey({ name: "somebody's" }, by);
    return () => auth.revokeApiKey({ id }, by);
  },
  "deletes the account": (by) => Promise.resolve(() => auth.deleteAccount(by)),
};

const stateOf = ({ user: { id } }: Registered): Promise<unknown[]> =>
  systemQuery(
    "test",
    `select a.email, a.password_hash, a.purge_at,
            (select t.confirmed_at from auth.totp t where t.account_id = a.id) as totp,
            (select string_agg(encode(r.hash, 'hex'), ' ' order by r.hash) from auth.recovery_code r where r.account_id = a.id) as codes,
            (select count(*)::int from auth.passkey p where p.account_id = a.id) as passkeys,
            (select encode(k.hash, 'hex') from auth.api_key k where k.account_id = a.id) as key,
            (select count(*)::int from auth.identity i where i.account_id = a.id) as identities,
            (select count(*)::int from auth.one_time_token o where o.account_id = a.id and o.purpose = 'change-email') as moves
     from auth.account a where a.id = $1`,
    [id],
  );

test.each(Object.keys(changes))("nobody %s by it; a live one does", async (change) => {
  const someone = async (): Promise<{ ada: Registered; by: By; act: Act }> => {
    const ada = await register(newcomer(), new Date());
    const by = await as(ada);
    return { ada, by, act: await changes[change]!(by, ada) };
  };
  const ended = await someone();
  const before = await stateOf(ended.ada);
  expect(before).toHaveLength(1);
  await auth.logout({}, ended.by);
  expect(await reason(ended.act())).toBe("invalid_token");
  expect(await stateOf(ended.ada)).toEqual(before);

  const live = await someone();
  const present = await stateOf(live.ada);
  expect(await reason(live.act())).toBeUndefined();
  expect(await stateOf(live.ada)).not.toEqual(present);
});
