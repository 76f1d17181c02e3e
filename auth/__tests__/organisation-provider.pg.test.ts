// The provider that an organisation brings: whom it may vouch for, whom never, and what becomes of them.
import { audit, auth, secrets } from "~encore/clients";
import { decodeJwt } from "jose";
import { URI, type TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { callerFrom, type Caller, type Principal } from "../../security/principal";
import { createCaller, registerCaller } from "../../testing";
import { beginTotp, confirmTotp } from "../factors/enrolment";
import { completeSecondFactor } from "../factors/second-factor";
import { removeIdentityProvider, setIdentityProvider } from "../identity-provider";
import { beginLink, completeLink, listIdentities, unlink } from "../oidc/identities";
import { OidcClients } from "../oidc/providers";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { redirectUriOf } from "../oidc/state";
import { register } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { as } from "./callers";
import { mailedToken, mailsTo } from "./mails";
import { CLIENT, startOpenIdProvider, type Person, type StartedProvider } from "./openid-provider";
import { clients, colleague, file, organisation, usual, verified, type Organisation } from "./organisation-providers";
import { here, password, reason } from "./people";

let elsewhere: StartedProvider;
let acme: Organisation;
let globex: Organisation;

beforeAll(async () => {
  elsewhere = await startOpenIdProvider([redirectUriOf({ id: "elsewhere" })]);
  acme = await organisation("acme", elsewhere);
  globex = await organisation("globex", elsewhere);
});
afterAll(() => Promise.all([elsewhere, acme.provider, globex.provider].map((provider) => provider.close())));

let people = 0;
const newEmail = (domain = acme.domain): string => `person${++people}@${domain}`;
/** Somebody at the provider, which says nothing of `email_verified`, as Entra does. */
const somebody = (email = newEmail(), more: Partial<Person> = {}): Person => ({ sub: `s${++people}`, email, ...more });

const complete = (back: { url: string; browser: string }): Promise<SignedIn> =>
  completeOidcSignIn(back, new Date(), { address: here, device: null }, clients);
async function signInAs(person: Person, at = acme): Promise<SignedIn> {
  const begun = await beginOidcSignIn({ provider: at.id, browser: undefined }, new Date(), clients);
  return complete({ url: await at.provider.visit(begun.url, person), browser: begun.browser });
}
const withPassword = (email: string): Promise<SignedIn> => signIn({ email, password }, new Date(), here);
const callerOf = async ({ accessToken }: Pick<SignedIn, "accessToken">): Promise<Caller> =>
  callerFrom(await readAccessToken(accessToken, new Date()));
async function linkByHand(signedIn: SignedIn, person: Person): Promise<unknown> {
  const caller = await callerOf(signedIn);
  const begun = await beginLink(caller, { provider: acme.id, browser: undefined }, new Date(), clients);
  const back = { url: await acme.provider.visit(begun.url, person), browser: begun.browser };
  return completeLink(caller, back, new Date(), clients);
}
const require = (isRequired: boolean): Promise<unknown> =>
  setIdentityProvider(acme.owner.principal, { ...usual, issuer: acme.provider.issuer, isRequired }, clients);
const organisationsOf = async (signedIn: SignedIn): Promise<string[]> =>
  (await auth.me(await as(signedIn))).organisations.map(({ id }) => id);

describe("who signs in at their organisation's provider", () => {
  test("is sent there by the domain of their address, and nobody else is", async () => {
    const begin = (email: string): Promise<{ url: string }> =>
      beginOidcSignIn({ email, browser: undefined }, new Date(), clients);
    const { url } = await begin(` ADA@${acme.domain.toUpperCase()}`);
    expect(url.startsWith(`${acme.provider.issuer}/`)).toBe(true);
    expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({
      login_hint: `ada@${acme.domain}`,
      redirect_uri: redirectUriOf({ id: acme.id }),
      code_challenge_method: "S256",
    });
    await auth.addDomain({ domain: `named-${file}.example.com` }, acme.owner);
    for (const email of [`a@eu.${acme.domain}`, `a@named-${file}.example.com`, "a@example.com", "nobody", ""])
      expect({ email, reason: await reason(begin(email)) }).toEqual({ email, reason: "oidc_provider_not_found" });
    expect(await reason(auth.beginOidc({}))).toBe("invalid_request");
    expect(await reason(auth.beginOidc({ email: newEmail(), provider: acme.id }))).toBe("invalid_request");
  });

  test("becomes a member with the declared role, and is known by their subject from then on", async () => {
    const ada = somebody();
    const first = await signInAs(ada);
    expect(first).toMatchObject({
      user: { email: ada.email },
      organisation: { id: acme.owner.tenantId, role: "member" },
    });
    expect((await auth.me(await as(first))).user?.emailVerified).toBe(true);
    expect(decodeJwt(first.accessToken)["amr"]).toEqual(["sso"]);
    const again = await signInAs({ ...ada, email: newEmail() });
    expect(again.user).toEqual(first.user);
    const { entries } = await audit.listEntries({ action: "auth.member.provisioned" }, acme.owner);
    expect(entries).toMatchObject([{ actor: `user:${first.user.id}`, fields: { role: "member" } }]);
    const events = await systemQuery<{ type: string }>(
      "test",
      "select type from events.outbox where aggregate_id in ($1, $2) and destination = 'event' order by id",
      [first.user.id, `${acme.owner.tenantId}/${first.user.id}`],
    );
    expect(events.map(({ type }) => type)).toEqual(["auth.member.provisioned", "auth.identity.linked"]);
  });

  test("of an address that is not of a verified domain is refused, whatever the provider says of it", async () => {
    const before = await organisationsOf(
      await withPassword((await colleague(newEmail("other.example.com"))).user.email),
    );
    expect(before).toHaveLength(1);
    const refused = [
      somebody(newEmail("example.com"), { email_verified: true }),
      somebody(newEmail(`eu.${acme.domain}`), { email_verified: true }),
      somebody(newEmail(globex.domain), { email_verified: true }),
      somebody(`a@${acme.domain}.evil.example`, { email_verified: true }),
      somebody(newEmail(), { email_verified: false }),
      somebody(newEmail(), { email_verified: "false" as unknown as boolean }),
    ];
    for (const person of refused)
      expect({ ...person, reason: await reason(signInAs(person)) }).toEqual({
        ...person,
        reason: "oidc_address_refused",
      });
    expect(await reason(signInAs({ sub: "nameless" }))).toBe("oidc_email_missing");
    const stored = await systemQuery("test", "select 1 from auth.account where email = any($1)", [
      refused.map(({ email }) => email),
    ]);
    expect(stored).toEqual([]);
  });

  test("is nobody at another organisation's provider, and their answers are not taken for one another", async () => {
    const ada = somebody();
    const first = await signInAs(ada);
    expect(await reason(signInAs(ada, globex))).toBe("oidc_address_refused");
    const impostor = await signInAs({ ...somebody(newEmail(globex.domain)), sub: ada.sub }, globex);
    expect(impostor.user.id).not.toBe(first.user.id);
    const begun = await beginOidcSignIn({ provider: acme.id, browser: undefined }, new Date(), clients);
    const url = await acme.provider.visit(begun.url, somebody());
    expect(await reason(complete({ url: url.replace(acme.id, globex.id), browser: begun.browser }))).toBe(
      "challenge_invalid",
    );
  });

  test("is no member again by signing in, once they were removed", async () => {
    const person = somebody();
    const ada = await signInAs(person);
    await auth.removeMember({ userId: ada.user.id }, acme.owner);
    expect(await reason(signInAs(person))).toBe("oidc_membership_ended");
    const left = await systemQuery("test", "select 1 from auth.membership where account_id = $1", [ada.user.id]);
    expect(left).toEqual([]);
  });

  test("stays no member after unlinking it, by linking it by hand, and after another issuer: an invitation brings them back", async () => {
    const gone = await colleague(newEmail(), acme.owner);
    const left = await colleague(newEmail(), acme.owner);
    const [person, leaver] = [somebody(gone.user.email), somebody(left.user.email)];
    await signInAs(person);
    await signInAs(leaver);
    await auth.removeMember({ userId: gone.user.id }, acme.owner);
    await auth.leaveOrganisation({ id: acme.owner.tenantId }, await as(left));
    for (const [signedIn, who] of [
      [gone, person],
      [left, leaver],
    ] as const) {
      const caller = await callerOf(await withPassword(signedIn.user.email));
      for (const { id } of await listIdentities(caller)) await unlink(caller, id);
      expect(await reason(signInAs(who))).toBe("oidc_membership_ended");
      expect(await reason(linkByHand(await withPassword(signedIn.user.email), who))).toBe("oidc_membership_ended");
      expect(await listIdentities(caller)).toEqual([]);
    }
    await setIdentityProvider(acme.owner.principal, { ...usual, issuer: elsewhere.issuer }, clients);
    await require(false);
    expect(await reason(signInAs(person))).toBe("oidc_membership_ended");
    await auth.inviteMember({ email: gone.user.email, role: "viewer" }, acme.owner);
    const back = await as(await withPassword(gone.user.email));
    await auth.acceptInvitation({ token: await mailedToken(gone.user.email) }, back);
    expect((await signInAs(person)).organisation).toMatchObject({ id: acme.owner.tenantId, role: "viewer" });
    await auth.removeMember({ userId: gone.user.id }, acme.owner);
    expect(await reason(signInAs(person))).toBe("oidc_membership_ended");
  });

  test("is asked for the second factor that their account has, and is in the organisation then", async () => {
    const person = somebody();
    const caller = await callerOf(await signInAs(person));
    const now = new Date();
    const app = URI.parse((await beginTotp(caller)).uri) as TOTP;
    await confirmTotp(caller, app.generate({ timestamp: now.getTime() - 30_000 }), now);
    const error = (await signInAs(person).catch((cause: unknown) => cause)) as { details: { challenge: string } };
    await require(true);
    const code = app.generate({ timestamp: now.getTime() });
    const signedIn = await completeSecondFactor({ challenge: error.details.challenge, code }, now, here, null);
    await require(false);
    expect(signedIn.organisation?.id).toBe(acme.owner.tenantId);
  });
});

describe("an account that was there before", () => {
  test("of a member who is in no other organisation is linked, and keeps its role", async () => {
    const ada = await colleague(newEmail(), acme.owner);
    const signedIn = await signInAs(somebody(ada.user.email));
    expect(signedIn.user).toEqual(ada.user);
    expect(signedIn.organisation).toMatchObject({ id: acme.owner.tenantId, role: "viewer" });
  });

  test("that belongs to another organisation is not taken: its person signs in and links it", async () => {
    const ada = await colleague(newEmail());
    const person = somebody(ada.user.email, { email_verified: true });
    const error = (await signInAs(person).catch((cause: unknown) => cause)) as { details: unknown };
    expect(error.details).toMatchObject({ reason: "oidc_link_required", provider: acme.id });
    expect(await organisationsOf(ada)).toEqual([ada.organisation?.id]);
    await linkByHand(ada, person);
    expect(await organisationsOf(ada)).toEqual([ada.organisation?.id, acme.owner.tenantId]);
    expect((await signInAs(person)).organisation?.id).toBe(acme.owner.tenantId);
    // Nor is it linked to an account of another domain.
    const guest = await colleague(newEmail("guests.example.com"));
    expect(await reason(linkByHand(guest, somebody()))).toBe("oidc_address_refused");
    expect(await listIdentities(await callerOf(guest))).toEqual([]);
  });

  test("whose address is of another domain by now is not spoken for any more", async () => {
    const person = somebody();
    const { user } = await signInAs(person);
    await systemQuery("test", "update auth.account set email = $2 where id = $1", [
      user.id,
      newEmail("left.example.com"),
    ]);
    expect(await reason(signInAs(person))).toBe("oidc_address_refused");
  });
});

describe("a provider that is required", () => {
  test("is the way in for members of the domain; owners and guests sign in as ever", async () => {
    const ada = await colleague(newEmail(), acme.owner);
    const guest = await colleague(newEmail("guests.example.com"), acme.owner);
    const late = newEmail();
    await auth.inviteMember({ email: late, role: "viewer" }, acme.owner);
    const token = await mailedToken(late);
    await require(true);
    const error = (await withPassword(ada.user.email).catch((cause: unknown) => cause)) as { details: unknown };
    expect(error.details).toMatchObject({ reason: "provider_required", provider: acme.id });
    expect(await reason(signIn({ email: ada.user.email, password: "wrong" }, new Date(), here))).toBe(
      "invalid_credentials",
    );
    expect(await reason(register({ email: late, password, invitation: token }, new Date()))).toBe("provider_required");
    expect((await withPassword(guest.user.email)).organisation?.id).toBe(acme.owner.tenantId);
    await systemQuery("test", "update auth.account set email = $2 where id = $1", [
      acme.owner.principal.subjectId,
      `owner@${acme.domain}`,
    ]);
    const owner = await auth.login({ email: `owner@${acme.domain}`, password: acme.owner.password });
    expect(owner.organisation?.id).toBe(acme.owner.tenantId);
    expect((await signInAs(somebody(ada.user.email))).organisation?.id).toBe(acme.owner.tenantId);
    await require(false);
    await withPassword(ada.user.email);
  });

  test("closes the organisation and not the account of who is in another one too", async () => {
    const ada = await colleague(newEmail());
    const person = somebody(ada.user.email);
    await linkByHand(ada, person);
    await require(true);
    const elsewhereAlone = await withPassword(ada.user.email);
    expect(elsewhereAlone.organisation?.id).toBe(ada.organisation?.id);
    const into = (signedIn: SignedIn): Promise<unknown> =>
      as(signedIn).then((caller) => auth.switchTo({ organisationId: acme.owner.tenantId }, caller));
    expect(await reason(into(elsewhereAlone))).toBe("provider_required");
    expect(await reason(into(await signInAs(person)))).toBeUndefined();
    await require(false);
  });

  test("is not shaken off by another address, but for one of the organisation's other domains", async () => {
    const ada = await colleague(newEmail(), acme.owner);
    const guest = await colleague(newEmail("guests.example.com"), acme.owner);
    const [away, second] = [newEmail("mail.example.com"), `second-${file}.example.com`];
    const move = async (who: SignedIn, email: string): Promise<unknown> =>
      auth.changeEmail({ email }, await as(await refreshSession(who.refreshToken, new Date(), here)));
    await move(ada, away);
    const asked = await mailedToken(away);
    await require(true);
    expect(await reason(auth.confirmEmail({ token: asked }))).toBe("provider_required");
    expect(await reason(move(ada, newEmail("mail.example.com")))).toBe("provider_required");
    const addressed = await systemQuery<{ email: string }>("test", "select email from auth.account where id = $1", [
      ada.user.id,
    ]);
    expect(addressed).toEqual([{ email: ada.user.email }]);
    await verified(acme.owner, second);
    const [within, elsewhereOfGuest] = [newEmail(second), newEmail("mail.example.com")];
    for (const [who, email] of [
      [ada, within],
      [guest, elsewhereOfGuest],
    ] as const) {
      await move(who, email);
      await auth.confirmEmail({ token: await mailedToken(email) });
    }
    expect(await reason(withPassword(within))).toBe("provider_required");
    expect((await withPassword(elsewhereOfGuest)).organisation?.id).toBe(acme.owner.tenantId);
    await require(false);
  });

  test("asks no more when the domain is lost: then it vouches for nobody, and passwords open again", async () => {
    const ada = await colleague(newEmail(), acme.owner);
    const person = somebody(ada.user.email);
    await signInAs(person);
    await require(true);
    expect(await reason(withPassword(ada.user.email))).toBe("provider_required");
    await auth.removeDomain({ id: acme.domainId }, acme.owner);
    await withPassword(ada.user.email);
    expect(await reason(signInAs(person))).toBe("oidc_address_refused");
    acme.domainId = await verified(acme.owner, acme.domain);
    expect(await reason(withPassword(ada.user.email))).toBe("provider_required");
    await require(false);
  });
});

describe("setting it up", () => {
  const set = (of: { principal: Principal }, more: object, by = clients): Promise<unknown> =>
    setIdentityProvider(of.principal, { ...usual, issuer: globex.provider.issuer, ...more }, by);

  test("is for owners of an organisation with a verified domain, by an issuer that answers at a public address", async () => {
    const admin = createCaller("admin", globex.owner);
    expect(await auth.identityProvider(admin)).toMatchObject({
      id: globex.id,
      redirectUri: redirectUriOf({ id: globex.id }),
    });
    const wanted = { issuer: globex.provider.issuer, clientId: "x", clientSecret: "y" };
    expect(await reason(auth.setIdentityProvider(wanted, admin))).toBe("permission_denied");
    expect(await reason(auth.removeIdentityProvider(admin))).toBe("permission_denied");
    expect(await reason(auth.setIdentityProvider(wanted, await registerCaller()))).toBe("domain_required");
    const strict = new OidcClients({ providers: () => [] });
    for (const issuer of [globex.provider.issuer, "https://10.0.0.1", "https://localhost", "https://internal"])
      expect({ issuer, reason: await reason(set(globex.owner, { issuer }, strict)) }).toEqual({
        issuer,
        reason: "oidc_unavailable",
      });
    expect(await auth.identityProvider(globex.owner)).toMatchObject({ issuer: globex.provider.issuer });
  });

  test("keeps the client's secret sealed, and sends it to no other issuer than it was given for", async () => {
    expect(await reason(set(globex.owner, { clientSecret: undefined, issuer: elsewhere.issuer }))).toBe(
      "invalid_request",
    );
    expect(await reason(set(globex.owner, { clientSecret: undefined, clientId: "another" }))).toBe("invalid_request");
    await set(globex.owner, { clientSecret: undefined, defaultRole: "viewer" });
    expect((await signInAs(somebody(newEmail(globex.domain)), globex)).organisation?.role).toBe("viewer");
    const told = JSON.stringify([
      await auth.identityProvider(globex.owner),
      await audit.listEntries({}, globex.owner),
      await systemQuery("test", "select * from events.outbox where tenant_id = $1", [globex.owner.tenantId]),
      await systemQuery("test", "select * from auth.identity_provider where tenant_id = $1", [globex.owner.tenantId]),
    ]);
    expect(told).not.toContain(CLIENT.clientSecret);
    expect((await secrets.list(globex.owner)).secrets.map(({ name }) => name)).toEqual(["app.identity-provider"]);
    for (const act of [
      secrets.put({ name: "app.identity-provider", value: "another" }, globex.owner),
      secrets.remove({ name: "app.identity-provider" }, globex.owner),
    ])
      expect(await reason(act)).toBe("invalid_request");
  });

  test("by two owners at once is one provider, and takes no secret along that is another one's by then", async () => {
    const owner = await registerCaller();
    await verified(owner, `raced-${file}.example.com`);
    /** Sets it up while what was read is asked, as another owner would. */
    const overtakenBy = (wanted: Parameters<typeof setIdentityProvider>[1]): OidcClients => {
      class Overtaken extends OidcClients {
        override async use<T>(...[provider, work]: Parameters<typeof clients.use<T>>): Promise<T> {
          await setIdentityProvider(owner.principal, wanted, clients);
          return clients.use(provider, work);
        }
      }
      return new Overtaken({ providers: () => [] });
    };
    const one = { ...usual, issuer: globex.provider.issuer };
    const other = { ...usual, issuer: elsewhere.issuer };
    const second = await setIdentityProvider(owner.principal, one, overtakenBy(other));
    const stored = await auth.identityProvider(owner);
    expect(stored).toMatchObject({ id: second.id, issuer: one.issuer });
    const { entries } = await audit.listEntries({ action: "auth.identity_provider.changed" }, owner);
    expect(entries.map(({ target }) => target?.id)).toEqual([second.id, second.id]);
    const kept = { ...one, clientSecret: undefined };
    expect(await reason(setIdentityProvider(owner.principal, kept, overtakenBy(other)))).toBe("invalid_request");
    expect(await auth.identityProvider(owner)).toMatchObject({ id: second.id, issuer: other.issuer });
  });

  test("is undone: nobody signs in by it, its identities and its secret are gone, members stay", async () => {
    const initech = await organisation("initech", elsewhere);
    const person = somebody(newEmail(initech.domain));
    const ada = await signInAs(person, initech);
    const caller = await callerOf(ada);
    await removeIdentityProvider(initech.owner.principal);
    expect(await reason(signInAs(person, initech))).toBe("oidc_provider_not_found");
    expect(await listIdentities(caller)).toEqual([]);
    expect((await secrets.list(initech.owner)).secrets).toEqual([]);
    expect((await mailsTo(initech.owner.email))[0]?.subject).toBe("The provider of your organisation was removed");
    const members = (await auth.listMembers({}, initech.owner)).members.map(({ id }) => id);
    expect(members).toContain(ada.user.id);
    expect(await reason(auth.identityProvider(initech.owner))).toBe("identity_provider_not_found");
    await initech.provider.close();
  });
});
