// What becomes of access tokens when an organisation's provider or its domains change: of who is in by what counts no more they end
// at once, of all others they stay. The attack: who was let in by a domain that is somebody else's now goes on for a quarter of an hour.
import { auth } from "~encore/clients";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemQuery, withSystem } from "../../db/tenant";
import { callerFrom, type Caller } from "../../security/principal";
import { registerCaller } from "../../testing";
import { loseDomain, removeDomain, verifyDomain } from "../domains/domains";
import { stepUp } from "../factors/step-up";
import { beginStepUp } from "../factors/step-up-elsewhere";
import { removeIdentityProvider, setIdentityProvider } from "../identity-provider";
import { beginLink, completeLink } from "../oidc/identities";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { redirectUriOf } from "../oidc/state";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { membershipLock } from "../store/memberships";
import { readAccessToken } from "../tokens";
import { as } from "./callers";
import { startOpenIdProvider, type Person, type StartedProvider } from "./openid-provider";
import { clients, colleague, file, organisation, usual, verified, type Organisation } from "./organisation-providers";
import { here, password, reason } from "./people";

let elsewhere: StartedProvider;
let t: Organisation;
beforeAll(async () => {
  elsewhere = await startOpenIdProvider([redirectUriOf({ id: "elsewhere" })]);
  t = await organisation("changes", elsewhere);
});
afterAll(() => Promise.all([elsewhere, t.provider].map((provider) => provider.close())));

let people = 0;
const newEmail = (domain = t.domain): string => `c${++people}@${domain}`;
const now = (): Date => new Date();
const callerOf = async ({ accessToken }: Pick<SignedIn, "accessToken">): Promise<Caller> =>
  callerFrom(await readAccessToken(accessToken, now()));
async function signInAs(person: Person): Promise<SignedIn> {
  const begun = await beginOidcSignIn({ provider: t.id, browser: undefined }, now(), clients);
  const back = { url: await t.provider.visit(begun.url, person), browser: begun.browser };
  return completeOidcSignIn(back, now(), { address: here, device: null }, clients);
}
const withPassword = (email: string, word = password): Promise<SignedIn> =>
  signIn({ email, password: word }, now(), here);
const refreshed = ({ refreshToken }: SignedIn): Promise<SignedIn> => refreshSession(refreshToken, now(), here);
const into = async (signedIn: Pick<SignedIn, "accessToken">, organisationId: string): Promise<SignedIn> =>
  auth.switchTo({ organisationId }, await as(signedIn));
const set = (more: object = {}): Promise<unknown> =>
  setIdentityProvider(t.owner.principal, { ...usual, issuer: t.provider.issuer, ...more }, clients);
const isTaken = async ({ accessToken }: Pick<SignedIn, "accessToken">): Promise<boolean> =>
  readAccessToken(accessToken, now()).then(
    () => true,
    (error: Error) => {
      if (error.name === "RevokedTokenError") return false;
      throw error;
    },
  );
const areTaken = (tokens: Record<string, SignedIn>): Promise<Record<string, boolean>> =>
  Promise.all(Object.entries(tokens).map(async ([who, of]) => [who, await isTaken(of)] as const)).then((entries) =>
    Object.fromEntries(entries),
  );
const revocations = async (): Promise<number> =>
  (
    await systemQuery<{ n: number }>("test", "select count(*)::int as n from auth.revocation where subject like $1", [
      `in:%:${t.owner.tenantId}`,
    ])
  )[0]?.n ?? -1;

/** Somebody with an organisation of their own, whom the provider knows too; signed in by it, and by their password in both. */
async function inBoth(): Promise<{ vouched: SignedIn; there: SignedIn; own: SignedIn; person: Person }> {
  const own = await colleague(newEmail());
  const person = { sub: `s${++people}`, email: own.user.email };
  const begun = await beginLink(await callerOf(own), { provider: t.id, browser: undefined }, now(), clients);
  const back = { url: await t.provider.visit(begun.url, person), browser: begun.browser };
  await completeLink(await callerOf(own), back, now(), clients);
  return { vouched: await signInAs(person), there: await into(own, t.owner.tenantId), own, person };
}
/** Everybody who may be in the organisation, each by another right. */
async function everybody(): Promise<
  Record<"vouched" | "both" | "there" | "own" | "guest" | "owner", SignedIn> & { person: Person }
> {
  const vouched = await signInAs({ sub: `s${++people}`, email: newEmail() });
  const { vouched: both, there, own, person } = await inBoth();
  const guest = await colleague(newEmail("guests.example.com"), t.owner);
  return { vouched, both, there, own, guest, owner: await withPassword(t.owner.email, t.owner.password), person };
}
const ALL = { vouched: true, both: true, there: true, own: true, guest: true, owner: true };

describe("without its domain", () => {
  const ways: [string, () => Promise<unknown>][] = [
    ["given up", () => auth.removeDomain({ id: t.domainId }, t.owner)],
    [
      "lost",
      () =>
        withSystem("test", async (tx) => {
          await membershipLock(tx, t.owner.tenantId);
          await loseDomain(tx, { id: t.domainId, tenantId: t.owner.tenantId, name: t.domain }, "missing");
        }),
    ],
    [
      "another organisation's",
      async () => {
        const globex = await registerCaller("Globex");
        const { id, record } = await auth.addDomain({ domain: t.domain }, globex);
        await verifyDomain(globex.principal, id, () => Promise.resolve([record.value]));
        await auth.removeDomain({ id }, globex);
      },
    ],
  ];

  test.each(ways)(
    "%s, an organisation ends the tokens of who was in by its provider's word alone, and no others",
    async (_how, lose) => {
      const { person: _person, ...tokens } = await everybody();
      expect(await areTaken(tokens)).toEqual(ALL);
      await lose();
      expect(await areTaken(tokens)).toEqual({ ...ALL, vouched: false, both: false });
      const without = await refreshed(tokens.vouched);
      expect([without.organisation, await isTaken(without)]).toEqual([null, true]);
      t.domainId = await verified(t.owner, t.domain).catch(async () => {
        const listed = (await auth.listDomains(t.owner)).domains.find(({ domain }) => domain === t.domain);
        await verifyDomain(t.owner.principal, listed?.id ?? "", () => Promise.resolve([listed?.record.value ?? ""]));
        return listed?.id ?? "";
      });
      // A token of now is as good as one of before was; that one stays refused.
      const again = await refreshed(without);
      expect([again.organisation?.id, await isTaken(again)]).toEqual([t.owner.tenantId, true]);
      expect(await isTaken(tokens.vouched)).toBe(false);
    },
  );
});

/** Sessions of whoever may stay in the organisation, in front of all others by their ids. */
async function crowd(token: SignedIn, sessions: number): Promise<() => Promise<unknown>> {
  const { sessionId } = await callerOf(token);
  await systemQuery(
    "test",
    `insert into auth.session (id, account_id, organisation_id, expires_at, family_hash, secret_hash, device)
     select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, account_id, organisation_id, expires_at, sha256(n::text::bytea), sha256(n::text::bytea), 'crowd'
       from auth.session, generate_series(1, $2) n where id = $1`,
    [sessionId, sessions],
  );
  return () => systemQuery("test", "delete from auth.session where device = 'crowd'");
}

test("a domain that is given up ends whom it let in also behind a thousand sessions that stay, and none of those", async () => {
  const { person: _person, ...tokens } = await everybody();
  const disperse = await crowd(tokens.guest, 1_001);
  await auth.removeDomain({ id: t.domainId }, t.owner);
  expect(await areTaken(tokens)).toEqual({ ...ALL, vouched: false, both: false });
  await disperse();
  t.domainId = await verified(t.owner, t.domain);
});

test("a domain of an organisation with more sessions than are looked at is given up at the cost of one row: everybody refreshes", async () => {
  const { person: _person, ...tokens } = await everybody();
  const { tenantId } = t.owner;
  const disperse = await crowd(tokens.guest, 5_000);
  const subjects = (): Promise<{ subject: string }[]> =>
    systemQuery("test", "select subject from auth.revocation where subject like $1 order by position", [
      `%:${tenantId}`,
    ]);
  const before = (await subjects()).length;
  await auth.removeDomain({ id: t.domainId }, t.owner);
  expect((await subjects()).slice(before)).toEqual([{ subject: `organisation:${tenantId}` }]);
  const none = Object.fromEntries(Object.keys(ALL).map((who) => [who, false]));
  // Who is in an organisation of their own keeps that token.
  expect(await areTaken(tokens)).toEqual({ ...none, own: true });
  const [without, guest] = [await refreshed(tokens.vouched), await refreshed(tokens.guest)];
  expect([without.organisation, guest.organisation?.id]).toEqual([null, tenantId]);
  expect(await areTaken({ without, guest })).toEqual({ without: true, guest: true });
  await disperse();
  t.domainId = await verified(t.owner, t.domain);
});

describe("a provider that is required from now on", () => {
  beforeEach(() => set());

  test("ends the tokens of members whom it did not vouch for, in that organisation and that session alone", async () => {
    const { person, ...tokens } = await everybody();
    const member = await colleague(newEmail(), t.owner);
    await set({ isRequired: true });
    expect(await areTaken({ ...tokens, member })).toEqual({ ...ALL, there: false, member: false });
    const without = await refreshed(tokens.there);
    expect([without.organisation, await isTaken(without)]).toEqual([null, true]);
    // Vouched for in that very session, it is in again, by tokens of then.
    const begun = await beginStepUp(await callerOf(without), { provider: t.id, browser: undefined }, now(), clients);
    const back = { url: await t.provider.visit(begun.url, person), browser: begun.browser };
    await stepUp(await callerOf(without), back, now(), here, clients);
    const again = await refreshed(without);
    expect([again.organisation?.id, await isTaken(again)]).toEqual([t.owner.tenantId, true]);
  });

  test("ends each once: nothing is ended by setting again what is set, nor by asking for less", async () => {
    const { person: _person, ...tokens } = await everybody();
    await set({ isRequired: true });
    const ended = await revocations();
    expect(ended).toBeGreaterThan(0);
    await set({ isRequired: true, defaultRole: "viewer" });
    await set();
    expect(await revocations()).toBe(ended);
    const back = await refreshed(tokens.there);
    expect(back.organisation?.id).toBe(t.owner.tenantId);
    await set({ isRequired: true });
    expect(await areTaken({ ...tokens, back })).toEqual({ ...ALL, there: false, back: false });
  });

  test("is required of the people of a domain that is verified later, too", async () => {
    await set({ isRequired: true });
    const late = `late-${file}.example.com`;
    const [member, guest] = [
      await colleague(newEmail(late), t.owner),
      await colleague(newEmail("x.example.com"), t.owner),
    ];
    expect(await areTaken({ member, guest })).toEqual({ member: true, guest: true });
    await verified(t.owner, late);
    expect(await areTaken({ member, guest })).toEqual({ member: false, guest: true });
  });

  test("that becomes another issuer's ends what the one before vouched for, and its removal what it vouched for", async () => {
    const { person: _person, ...before } = await everybody();
    await set({ issuer: elsewhere.issuer });
    expect(await areTaken(before)).toEqual({ ...ALL, vouched: false, both: false });
    await set();
    const { person: _again, ...after } = await everybody();
    await removeIdentityProvider(t.owner.principal);
    expect(await areTaken(after)).toEqual({ ...ALL, vouched: false, both: false });
    const { id } = (await set()) as { id: string };
    await t.provider.close();
    t.id = id;
    t.provider = await startOpenIdProvider([redirectUriOf({ id })]);
    await set();
  });
});

describe("an owner who signs in by the organisation's provider alone", () => {
  const alone = async (email = newEmail()): Promise<{ signedIn: SignedIn; principal: typeof t.owner.principal }> => {
    const signedIn = await signInAs({ sub: `s${++people}`, email });
    await systemQuery("test", "update auth.membership set role = 'owner' where account_id = $1", [signedIn.user.id]);
    const caller = await callerOf(await refreshed(signedIn));
    return { signedIn, principal: { ...caller, tenantId: t.owner.tenantId } };
  };

  test("removes neither it nor the domain it speaks for where no mail could let them in again, and is told what to do", async () => {
    const { principal } = await alone();
    const refused = removeIdentityProvider(principal, false);
    await expect(refused).rejects.toMatchObject({ code: "failed_precondition", details: { reason: "only_way_in" } });
    expect(await reason(removeDomain(principal, t.domainId, false))).toBe("only_way_in");
    expect(
      await isTaken({ accessToken: (await signInAs({ sub: `s${++people}`, email: newEmail() })).accessToken }),
    ).toBe(true);
    // Another domain's people are not they.
    const other = await verified(t.owner, `other-${file}-${++people}.example.com`);
    await removeDomain(principal, other, false);
    await removeDomain(principal, await verified(t.owner, `sent-${file}.example.com`), true);
  });

  test("does so once they have another way in: a password or a passkey", async () => {
    const { signedIn, principal } = await alone();
    const give = (sql: string): Promise<unknown> => systemQuery("test", sql, [signedIn.user.id]);
    await give(
      `insert into auth.passkey (id, account_id, credential_id, public_key, name, sign_count, is_synced, is_backed_up, transports)
       values (gen_random_uuid(), $1, decode(md5(random()::text), 'hex'), 'k', 'n', 0, false, false, '{}')`,
    );
    await removeDomain(principal, t.domainId, false);
    t.domainId = await verified(t.owner, t.domain);
    await give("delete from auth.passkey where account_id = $1");
    expect(await reason(removeDomain(principal, t.domainId, false))).toBe("only_way_in");
    await give(
      "update auth.account set password_hash = (select password_hash from auth.account where password_hash is not null limit 1) where id = $1",
    );
    await removeDomain(principal, t.domainId, false);
    t.domainId = await verified(t.owner, t.domain);
    await give("update auth.account set password_hash = null where id = $1");
    // Where mails are sent, a mailed link sets a password.
    await removeIdentityProvider(principal, true);
    expect(await reason(auth.identityProvider(t.owner))).toBe("identity_provider_not_found");
  });
});
