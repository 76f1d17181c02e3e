// Signing in by an account at a real OpenID provider, linking one, and what an attacker tries on the way.
import { auth } from "~encore/clients";
import { decodeJwt } from "jose";
import { URI, type TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { callerFrom, type Caller } from "../../security/principal";
import { beginTotp, confirmTotp } from "../factors/enrolment";
import { completeSecondFactor } from "../factors/second-factor";
import { beginLink, completeLink, listIdentities, unlink } from "../oidc/identities";
import { OidcClients } from "../oidc/providers";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { redirectUriOf, STATE_SECONDS } from "../oidc/state";
import { register } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { as, identify } from "./callers";
import { mailedToken, mailsTo } from "./mails";
import { provided, providers } from "./oidc-providers";
import { CLIENT, startOpenIdProvider, type Person, type StartedProvider } from "./openid-provider";
import { count, here, newcomer, password, reason } from "./people";

let acme: StartedProvider;
let globex: StartedProvider;
let clients: OidcClients;
const settings = { timeoutMs: 10_000, allowLoopback: true };

beforeAll(async () => {
  acme = await startOpenIdProvider([redirectUriOf({ id: "acme" })]);
  globex = await startOpenIdProvider([redirectUriOf({ id: "globex" })]);
  const providers = [provided("acme", acme.issuer), provided("globex", globex.issuer)];
  clients = new OidcClients({ ...settings, providers: () => providers });
});
afterAll(async () => {
  await Promise.all([acme.close(), globex.close()]);
});

const startedBy = (id: string): StartedProvider => (id === "acme" ? acme : globex);
const client = { address: here, device: null };
let subjects = 0;
/** Somebody at a provider; their provider vouches for the address unless it is said otherwise. */
function somebody(email = newcomer().email, more: Partial<Person> = {}): Person {
  subjects++;
  return { sub: `subject-${subjects}`, email, email_verified: true, ...more };
}

interface Back {
  url: string;
  browser: string;
}

/** To the provider and back, in one browser. */
async function goThere(person: Person, id = "acme", browser?: string): Promise<Back> {
  const begun = await beginOidcSignIn({ provider: id, browser }, new Date(), clients);
  return { url: await startedBy(id).visit(begun.url, person), browser: begun.browser };
}
const complete = (back: { url: string; browser: string | undefined }, now = new Date()): Promise<SignedIn> =>
  completeOidcSignIn(back, now, client, clients);
const signInAs = async (person: Person, id = "acme"): Promise<SignedIn> => complete(await goThere(person, id));
const callerOf = async ({ accessToken }: Pick<SignedIn, "accessToken">): Promise<Caller> =>
  callerFrom(await readAccessToken(accessToken, new Date()));
const verifiedPerson = async (who = newcomer()): Promise<SignedIn> => {
  const ada = await register(who, new Date());
  await auth.verifyEmail({ token: await mailedToken(ada.user.email) });
  return ada;
};
const isVerified = async (signedIn: SignedIn): Promise<boolean | undefined> =>
  (await auth.me(await as(signedIn))).user?.emailVerified;
const linksOf = async ({ user }: SignedIn): Promise<unknown[]> =>
  systemQuery(
    "test",
    "select payload->>'how' as how from events.outbox where type = 'auth.identity.linked' and aggregate_id = $1 order by id",
    [user.id],
  );
const withParameter = (url: string, name: string, value: string): string => {
  const changed = new URL(url);
  changed.searchParams.set(name, value);
  return changed.href;
};

describe("a sign-in at a provider", () => {
  test("registers whom nobody knows, verified by the provider, and finds them again by their subject alone", async () => {
    const ada = somebody();
    const first = await signInAs(ada);
    expect(first.user.email).toBe(ada.email);
    expect(first.organisation).toBeNull();
    expect(await isVerified(first)).toBe(true);
    expect(decodeJwt(first.accessToken)["amr"]).toEqual(["oidc"]);
    // Elsewhere the address has changed, even to somebody else's: the subject is who they are.
    const other = await verifiedPerson();
    const again = await signInAs({ ...ada, email: other.user.email });
    expect(again.user).toEqual(first.user);
    expect(await linksOf(first)).toEqual([{ how: "registered" }]);
    // The account has no password, so none fits.
    expect(await reason(signIn({ email: first.user.email, password }, new Date(), here))).toBe("invalid_credentials");
  });

  test("asks for a code with PKCE, state and nonce, at a redirect address of this provider alone", async () => {
    const { url } = await beginOidcSignIn({ provider: "acme", browser: undefined }, new Date(), clients);
    const asked = Object.fromEntries(new URL(url).searchParams);
    expect(asked).toMatchObject({
      response_type: "code",
      client_id: CLIENT.clientId,
      redirect_uri: "http://localhost:4000/oidc/callback/acme",
      scope: "openid email",
      code_challenge_method: "S256",
    });
    expect(asked["code_challenge"]).toMatch(/^[\w-]{43}$/);
    expect(asked["nonce"]).toMatch(/^[\w-]{43}$/);
    expect(url).not.toContain(CLIENT.clientSecret);
    const second = await beginOidcSignIn({ provider: "acme", browser: undefined }, new Date(), clients);
    for (const name of ["state", "nonce", "code_challenge"])
      expect(new URL(second.url).searchParams.get(name)).not.toBe(asked[name]);
  });

  test("of a provider that does not vouch for the address makes an account that is not verified, and mails the link", async () => {
    const person = somebody(undefined, { email_verified: false });
    const signedIn = await signInAs(person);
    expect(await isVerified(signedIn)).toBe(false);
    expect((await mailsTo(signedIn.user.email))[0]?.subject).toBe("Confirm your e-mail address");
  });

  test("without an address is told so, and nothing is stored", async () => {
    const before = await count("auth.identity");
    expect(await reason(signInAs({ sub: "nameless" }))).toBe("oidc_email_missing");
    expect(await count("auth.identity")).toBe(before);
  });

  test("by the same subject at another provider is somebody else's: no provider speaks for another's people", async () => {
    const ada = somebody();
    const first = await signInAs(ada);
    const impostor = await signInAs({ ...somebody(), sub: ada.sub }, "globex");
    expect(impostor.user.id).not.toBe(first.user.id);
    const claimed = { ...somebody(ada.email, { email_verified: false }), sub: ada.sub };
    expect(await reason(signInAs({ ...claimed, sub: "another-subject" }, "globex"))).toBe("oidc_link_required");
  });

  test("of two at once, of somebody new, makes one account", async () => {
    const person = somebody();
    const backs = [await goThere(person), await goThere(person)];
    const both = await Promise.all(backs.map((back) => complete(back)));
    expect(both[0]?.user).toEqual(both[1]?.user);
  });

  test("at a provider that nobody named is answered 404", async () => {
    expect(await reason(beginOidcSignIn({ provider: "nobody", browser: undefined }, new Date(), clients))).toBe(
      "oidc_provider_not_found",
    );
    expect(await reason(auth.beginOidc({ provider: "nobody" }))).toBe("oidc_provider_not_found");
    expect(await auth.oidcProviders()).toEqual({ providers: [] });
  });
});

describe("what came back", () => {
  test("is good in the browser that began it and in no other, so nobody is signed in to another's account", async () => {
    const back = await goThere(somebody());
    const stranger = await goThere(somebody());
    for (const browser of [undefined, "", "x", stranger.browser])
      expect({ browser, reason: await reason(complete({ url: back.url, browser })) }).toEqual({
        browser,
        reason: "challenge_invalid",
      });
    await complete(back);
  });

  test("is good once: of many at once one is signed in", async () => {
    const back = await goThere(somebody());
    const ended = await Promise.all(Array.from({ length: 5 }, () => reason(complete(back))));
    expect(ended.toSorted()).toEqual([...Array<string>(4).fill("challenge_invalid"), undefined]);
    expect(await reason(complete(back))).toBe("challenge_invalid");
  });

  test("is good for ten minutes", async () => {
    const back = await goThere(somebody());
    const late = new Date(Date.now() + STATE_SECONDS * 1000 + 1000);
    expect(await reason(complete(back, late))).toBe("challenge_invalid");
    await complete(back);
  });

  test("of two tabs of one browser is good in both", async () => {
    const first = await goThere(somebody());
    const second = await goThere(somebody(), "acme", first.browser);
    expect(second.browser).toBe(first.browser);
    await complete(first);
    await complete(second);
  });

  test("is no sign-in when it was begun as a link, and the other way round", async () => {
    const ada = await register(newcomer(), new Date());
    const caller = await callerOf(ada);
    const begun = await beginLink(caller, { provider: "acme", browser: undefined }, new Date(), clients);
    const link = { url: await acme.visit(begun.url, somebody()), browser: begun.browser };
    expect(await reason(complete(link))).toBe("challenge_invalid");
    const back = await goThere(somebody());
    expect(await reason(completeLink(caller, back, new Date(), clients))).toBe("challenge_invalid");
  });

  test("with a state that nobody made is refused, whatever it looks like", async () => {
    const back = await goThere(somebody());
    for (const state of ["", "x", "\0", "é".repeat(3000), back.browser])
      expect(await reason(complete({ ...back, url: withParameter(back.url, "state", state) }))).toBe(
        "challenge_invalid",
      );
    for (const url of ["", "nothing", "javascript:alert(1)", `http://localhost:4000/?${"a=b&".repeat(1000)}`])
      expect(await reason(complete({ ...back, url }))).toBe("challenge_invalid");
  });

  test("of one provider is not taken for another's (mix-up), by its address and by its `iss`", async () => {
    const back = await goThere(somebody());
    expect(await reason(complete({ ...back, url: back.url.replace("callback/acme", "callback/globex") }))).toBe(
      "challenge_invalid",
    );
    const named = await goThere(somebody());
    expect(new URL(named.url).searchParams.get("iss")).toBe(acme.issuer);
    const tokens = globex.asked("/token") + acme.asked("/token");
    expect(await reason(complete({ ...named, url: withParameter(named.url, "iss", globex.issuer) }))).toBe(
      "oidc_failed",
    );
    // The code was sent to nobody.
    expect(globex.asked("/token") + acme.asked("/token")).toBe(tokens);
  });

  test("with the code of another sign-in is refused: code injection fails by PKCE and nonce", async () => {
    const victim = await goThere(somebody());
    const thief = await goThere(somebody());
    const code = new URL(victim.url).searchParams.get("code") ?? "";
    expect(await reason(complete({ ...thief, url: withParameter(thief.url, "code", code) }))).toBe("oidc_failed");
  });

  test("with a refusal of the provider is told as such, without its words", async () => {
    const back = await goThere(somebody());
    const refused = new URL(back.url);
    refused.searchParams.delete("code");
    refused.searchParams.set("error", "access_denied");
    refused.searchParams.set("error_description", "<script>alert(1)</script>");
    const error: unknown = await complete({ ...back, url: refused.href }).catch((cause: unknown) => cause);
    expect(await reason(Promise.reject(error as Error))).toBe("oidc_failed");
    expect(JSON.stringify(error)).not.toContain("script");
  });
});

describe("an account with the same address", () => {
  test("is linked when the provider vouches for the address and we have verified it; its owner is told", async () => {
    const ada = await verifiedPerson();
    const signedIn = await signInAs(somebody(ada.user.email));
    expect(signedIn.user).toEqual(ada.user);
    expect(signedIn.organisation?.id).toBe(ada.organisation?.id);
    expect((await mailsTo(ada.user.email))[0]?.subject).toBe("Another way to sign in was added to your account");
    expect(await linksOf(ada)).toEqual([{ how: "matched" }]);
    // Nothing of hers went.
    await identify(ada.accessToken);
    await signIn({ email: ada.user.email, password }, new Date(), here);
  });

  test("is not linked when the provider does not vouch for the address, in whichever way it says so", async () => {
    const ada = await verifiedPerson();
    const unvouched = [
      somebody(ada.user.email, { email_verified: false }),
      { sub: "says-nothing", email: ada.user.email },
      somebody(ada.user.email, { email_verified: "true" as unknown as boolean }),
    ];
    for (const person of unvouched) expect(await reason(signInAs(person))).toBe("oidc_link_required");
    expect(await listIdentities(await callerOf(ada))).toEqual([]);
  });

  test("is not linked when the provider vouches for one that only looks like it: mail servers tell them apart", async () => {
    const tail = `os-${crypto.randomUUID()}@example.com`;
    const ada = await verifiedPerson({ ...newcomer(), email: `k${tail}` });
    // The sign of Kelvin, a letter of full width, one with a style, the long s: all are folded into ours.
    const lookalikes = ["\u212aos", "\uff4bos", "\u{1d424}os", "ko\u017f"].map((local) => `${local}${tail.slice(2)}`);
    for (const email of lookalikes) expect(await reason(signInAs(somebody(email)))).toBe("oidc_link_required");
    expect(await listIdentities(await callerOf(ada))).toEqual([]);
    expect((await signInAs(somebody(ada.user.email.toUpperCase()))).user).toEqual(ada.user);
    // Capitals are no other address, nor are accents that are signs of their own.
    const zoe = await verifiedPerson({ ...newcomer(), email: `zoë${tail}` });
    expect((await signInAs(somebody(`Zoë${tail}`.normalize("NFD")))).user).toEqual(zoe.user);
  });

  test("that nobody had verified is handed over: whoever registered the address loses everything", async () => {
    const squatter = await register(newcomer(), new Date());
    const { key } = await auth.createApiKey({ name: "backdoor" }, await as(squatter));
    const linked = await callerOf(squatter);
    const begun = await beginLink(linked, { provider: "globex", browser: undefined }, new Date(), clients);
    const own = somebody(undefined, { email: "squatter@example.com" });
    await completeLink(
      linked,
      { url: await globex.visit(begun.url, own), browser: begun.browser },
      new Date(),
      clients,
    );
    const owner = await signInAs(somebody(squatter.user.email));
    expect(owner.user.id).toBe(squatter.user.id);
    expect(await isVerified(owner)).toBe(true);
    expect(await reason(identify(squatter.accessToken))).toBe("invalid_token");
    expect(await reason(refreshSession(squatter.refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    expect(await reason(identify(key))).toBe("invalid_token");
    expect(await reason(signIn({ email: squatter.user.email, password }, new Date(), here))).toBe(
      "invalid_credentials",
    );
    // By the other provider the squatter is somebody new now.
    expect((await signInAs(own, "globex")).user.id).not.toBe(squatter.user.id);
    expect(await linksOf(owner)).toEqual([{ how: "linked" }, { how: "claimed" }]);
  });

  test("that has a second factor is never linked by an address, and once linked by hand asks for it", async () => {
    const ada = await verifiedPerson();
    const now = new Date();
    const caller = await callerOf(ada);
    const app = URI.parse((await beginTotp(caller)).uri) as TOTP;
    await confirmTotp(caller, app.generate({ timestamp: now.getTime() }), now);
    const person = somebody(ada.user.email);
    expect(await reason(signInAs(person))).toBe("oidc_link_required");
    const begun = await beginLink(caller, { provider: "acme", browser: undefined }, now, clients);
    await completeLink(caller, { url: await acme.visit(begun.url, person), browser: begun.browser }, now, clients);
    const refusal: unknown = await signInAs(person).catch((error: unknown) => error);
    expect(await reason(Promise.reject(refusal as Error))).toBe("second_factor_required");
    const { challenge } = (refusal as { details: { challenge: string } }).details;
    const code = app.generate({ timestamp: now.getTime() + 30_000 });
    const signedIn = await completeSecondFactor({ challenge, code }, new Date(now.getTime() + 30_000), here, null);
    expect(decodeJwt(signedIn.accessToken)["amr"]).toEqual(["oidc", "otp", "mfa"]);
  });
});

describe("a link by hand", () => {
  const linkTo = async (ada: SignedIn, person: Person, id = "acme"): Promise<{ id: string }> => {
    const caller = await callerOf(ada);
    const begun = await beginLink(caller, { provider: id, browser: undefined }, new Date(), clients);
    const url = await startedBy(id).visit(begun.url, person);
    return completeLink(caller, { url, browser: begun.browser }, new Date(), clients);
  };

  test("signs in whatever address the provider knows, ends other sign-ins, and is listed and taken back", async () => {
    const ada = await register(newcomer(), new Date());
    const phone = await signIn({ email: ada.user.email, password }, new Date(), here);
    const person = somebody(undefined, { email_verified: false });
    const { id } = await linkTo(ada, person);
    expect(await reason(identify(phone.accessToken))).toBe("invalid_token");
    expect((await signInAs(person)).user).toEqual(ada.user);
    const { identities } = await auth.identities(await as(ada));
    expect(identities).toMatchObject([{ id, provider: "acme", issuer: acme.issuer, email: person.email }]);
    expect(identities[0]?.lastUsedAt).toBeDefined();
    await auth.unlinkIdentity({ id }, await as(ada));
    expect((await signInAs(person)).user.id).not.toBe(ada.user.id);
    expect((await mailsTo(ada.user.email))[0]?.subject).toBe("A way to sign in was removed from your account");
  });

  test("belongs to one account: neither a second account nor the same again gets it", async () => {
    const [ada, eve] = [await register(newcomer(), new Date()), await register(newcomer(), new Date())];
    const person = somebody();
    await linkTo(ada, person);
    for (const account of [eve, ada]) expect(await reason(linkTo(account, person))).toBe("identity_taken");
    expect((await signInAs(person)).user).toEqual(ada.user);
  });

  test("is ended by the account and session that began it, and by nobody else", async () => {
    const [ada, eve] = [await register(newcomer(), new Date()), await register(newcomer(), new Date())];
    const begun = await beginLink(await callerOf(ada), { provider: "acme", browser: undefined }, new Date(), clients);
    const back = { url: await acme.visit(begun.url, somebody()), browser: begun.browser };
    const elsewhere = await signIn({ email: ada.user.email, password }, new Date(), here);
    for (const other of [eve, elsewhere])
      expect(await reason(completeLink(await callerOf(other), back, new Date(), clients))).toBe("challenge_invalid");
    await completeLink(await callerOf(ada), back, new Date(), clients);
  });

  test("is not completed by a session that was ended meanwhile", async () => {
    const ada = await register(newcomer(), new Date());
    const [caller, person] = [await callerOf(ada), somebody()];
    const begun = await beginLink(caller, { provider: "acme", browser: undefined }, new Date(), clients);
    const back = { url: await acme.visit(begun.url, person), browser: begun.browser };
    await auth.logout({}, await as(ada));
    expect(await reason(completeLink(caller, back, new Date(), clients))).toBe("invalid_token");
    expect(await listIdentities(caller)).toEqual([]);
  });

  test("asks for a fresh session, to begin and to take back", async () => {
    const ada = await register(newcomer(), new Date());
    const { authData } = await as(ada);
    const stale = { authData: { ...authData, authTime: String(Math.floor(Date.now() / 1000) - 601) } };
    expect(await reason(auth.beginIdentity({ provider: "acme" }, stale))).toBe("step_up_required");
    const { id } = await linkTo(ada, somebody());
    expect(await reason(auth.unlinkIdentity({ id }, stale))).toBe("step_up_required");
  });

  test("is not taken back where nothing else signs in to the account; a password by mail opens that", async () => {
    const person = somebody();
    const ada = await signInAs(person);
    const caller = await callerOf(ada);
    const [{ id } = { id: "" }] = await listIdentities(caller);
    expect(await reason(unlink(caller, id))).toBe("last_sign_in_method");
    expect((await signInAs(person)).user).toEqual(ada.user);
    const eve = await register(newcomer(), new Date());
    expect(await reason(unlink(await callerOf(eve), id))).toBe("identity_not_found");
    await auth.forgotPassword({ email: ada.user.email });
    await auth.resetPassword({ token: await mailedToken(ada.user.email), password });
    const back = await signIn({ email: ada.user.email, password }, new Date(), here);
    await unlink(await callerOf(back), id);
  });
});

providers({ acme: () => acme, settings });
