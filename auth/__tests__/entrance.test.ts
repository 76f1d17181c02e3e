// What an organisation's provider opens: that organisation and nothing else of the account; and who is let into one that
// requires its provider. The attack: who runs organisation T's provider signs in as one of T's people, and goes on from
// there into their other organisations, or leaves a way in of their own behind.
import { auth } from "~encore/clients";
import { readFileSync } from "node:fs";
import { decodeJwt } from "jose";
import { URI, type TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { callerFrom, type AuthData, type Caller } from "../../security/principal";
import { listAccounts } from "../browser/accounts";
import { refusalOf } from "../entrance";
import { beginTotp, confirmTotp } from "../factors/enrolment";
import { completeSecondFactor } from "../factors/second-factor";
import { stepUp } from "../factors/step-up";
import { beginStepUp, mailCode, stepUpWays } from "../factors/step-up-elsewhere";
import { setIdentityProvider } from "../identity-provider";
import { beginLink, completeLink, listIdentities } from "../oidc/identities";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { redirectUriOf } from "../oidc/state";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { as, identify } from "./callers";
import { mailedToken, mailsTo } from "./mails";
import { startOpenIdProvider, type Person, type StartedProvider } from "./openid-provider";
import { clients, colleague, organisation, usual, type Organisation } from "./organisation-providers";
import { here, password, reason } from "./people";

let elsewhere: StartedProvider;
let t: Organisation;
beforeAll(async () => {
  elsewhere = await startOpenIdProvider([redirectUriOf({ id: "elsewhere" })]);
  t = await organisation("t", elsewhere);
});
afterAll(() => Promise.all([elsewhere, t.provider].map((provider) => provider.close())));

let people = 0;
const newEmail = (domain = t.domain): string => `p${++people}@${domain}`;
const now = (): Date => new Date();
const callerOf = async ({ accessToken }: Pick<SignedIn, "accessToken">): Promise<Caller> =>
  callerFrom(await readAccessToken(accessToken, now()));
async function signInAs(person: Person, at = t): Promise<SignedIn> {
  const begun = await beginOidcSignIn({ provider: at.id, browser: undefined }, now(), clients);
  const back = { url: await at.provider.visit(begun.url, person), browser: begun.browser };
  return completeOidcSignIn(back, now(), { address: here, device: null }, clients);
}
const withPassword = (email: string, word = password): Promise<SignedIn> =>
  signIn({ email, password: word }, now(), here);
const refreshed = ({ refreshToken }: SignedIn): Promise<SignedIn> => refreshSession(refreshToken, now(), here);
const into = async (signedIn: Pick<SignedIn, "accessToken">, organisationId: string): Promise<SignedIn> =>
  auth.switchTo({ organisationId }, await as(signedIn));
const require = (isRequired: boolean): Promise<unknown> =>
  setIdentityProvider(t.owner.principal, { ...usual, issuer: t.provider.issuer, isRequired }, clients);

/** Somebody with an organisation of their own, whom T's provider knows too. */
async function inBoth(): Promise<{ own: SignedIn; ownId: string; person: Person }> {
  const own = await colleague(newEmail());
  const person = { sub: `s${++people}`, email: own.user.email };
  const caller = await callerOf(own);
  const begun = await beginLink(caller, { provider: t.id, browser: undefined }, now(), clients);
  await completeLink(
    caller,
    { url: await t.provider.visit(begun.url, person), browser: begun.browser },
    now(),
    clients,
  );
  return { own, ownId: own.organisation?.id ?? "", person };
}
async function mailedCodeOf(signedIn: SignedIn): Promise<string> {
  await mailCode(await callerOf(signedIn));
  const text = (await mailsTo(signedIn.user.email))[0]?.text ?? "";
  return /^(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}$/m.exec(text)?.[0] ?? "";
}
const step = async (signedIn: SignedIn, input: Parameters<typeof stepUp>[1]): Promise<{ accessToken: string }> =>
  stepUp(await callerOf(signedIn), input, now(), here, clients);

const id = newId();
const attestation = {
  ...{ id: "x", rawId: "x", type: "public-key" as const },
  response: { clientDataJSON: "x", attestationObject: "x" },
};
/** Everything that is the account's, or of organisations beside the one that vouches. */
const own: Record<string, (by: { authData: AuthData }) => Promise<unknown>> = {
  acceptInvitation: (by) => auth.acceptInvitation({ token: "x" }, by),
  addPasskey: (by) => auth.addPasskey({ challenge: "x", name: "x", attestation }, by),
  beginIdentity: (by) => auth.beginIdentity({ provider: "nobody" }, by),
  beginPasskey: (by) => auth.beginPasskey(by),
  beginTotp: (by) => auth.beginTotp(by),
  changeEmail: (by) => auth.changeEmail({ email: "none" }, by),
  confirmTotp: (by) => auth.confirmTotp({ code: "0" }, by),
  createOrganisation: (by) => auth.createOrganisation({ name: "Mine" }, by),
  deleteAccount: (by) => auth.deleteAccount(by),
  linkIdentity: (by) => auth.linkIdentity({ url: "x" }, by),
  removePasskey: (by) => auth.removePasskey({ id }, by),
  removeTotp: (by) => auth.removeTotp(by),
  renamePasskey: (by) => auth.renamePasskey({ id, name: "x" }, by),
  replaceRecoveryCodes: (by) => auth.replaceRecoveryCodes(by),
  restoreOrganisation: (by) => auth.restoreOrganisation({ id }, by),
  unlinkIdentity: (by) => auth.unlinkIdentity({ id }, by),
};
/** What is a person's and needs no proof of their own: it tells, ends, or leads to one. Each new one is to be thought about. */
const HARMLESS = [
  ...["endOtherSessions", "endSession", "identities", "listPasskeys", "listSessions", "logout"],
  ...["organisations", "factors"],
  ...["sendVerificationMail", "stepUp", "stepUpMail", "stepUpMethods", "stepUpOidc", "stepUpPasskey"],
];
/** The rule itself tells: by the organisation, or by the password that is asked for. */
const JUDGED = ["changePassword", "leaveOrganisation", "switchTo"];

describe("a session that an organisation's provider alone vouched for", () => {
  test("is in that organisation, and stays there", async () => {
    const { person } = await inBoth();
    const vouched = await signInAs(person);
    expect(vouched.organisation?.id).toBe(t.owner.tenantId);
    expect(decodeJwt(vouched.accessToken)["amr"]).toEqual(["sso"]);
    const next = await refreshed(vouched);
    expect(next.organisation?.id).toBe(t.owner.tenantId);
    expect((await into(next, t.owner.tenantId)).organisation?.id).toBe(t.owner.tenantId);
  });

  test("goes into no other organisation of the account, as each way says", async () => {
    const { person, ownId } = await inBoth();
    const vouched = await signInAs(person);
    expect(await reason(into(vouched, ownId))).toBe("own_proof_required");
    expect(await reason(into(vouched, newId()))).toBe("organisation_not_found");
    const by = await as(vouched);
    expect(await reason(auth.leaveOrganisation({ id: ownId }, by))).toBe("own_proof_required");
    // Asked anew at that provider, it is fresh and vouched for no more than before.
    const begun = await beginStepUp(await callerOf(vouched), { provider: t.id, browser: undefined }, now(), clients);
    const back = { url: await t.provider.visit(begun.url, person), browser: begun.browser };
    expect(await reason(into(await step(vouched, back), ownId))).toBe("own_proof_required");
    expect(await reason(into(await refreshed(vouched), ownId))).toBe("own_proof_required");
    await auth.leaveOrganisation({ id: t.owner.tenantId }, by);
    // Nor into one by having none.
    expect((await refreshed(vouched)).organisation).toBeNull();
  });

  test("changes nothing of the account: neither its ways in nor where it belongs", async () => {
    const by = await as(await signInAs((await inBoth()).person));
    for (const [name, act] of Object.entries(own))
      expect({ name, reason: await reason(act(by)) }).toEqual({ name, reason: "own_proof_required" });
  });

  test("does so once its person showed something of their own, in that session alone", async () => {
    const { person, ownId } = await inBoth();
    const [one, other] = [await signInAs(person), await signInAs(person)];
    const shown = await step(one, { password });
    expect((await into(shown, ownId)).organisation?.id).toBe(ownId);
    expect((await into(await refreshed(one), ownId)).organisation?.id).toBe(ownId);
    // The token of before says what was so when it was made; for going elsewhere the session is asked.
    expect(await reason(auth.beginTotp(await as(one)))).toBe("own_proof_required");
    for (const [name, act] of Object.entries(own).filter(([name]) => name !== "deleteAccount"))
      expect({ name, reason: await reason(act({ authData: await identify(shown.accessToken) })) }).not.toEqual({
        name,
        reason: "own_proof_required",
      });
    expect(await reason(into(other, ownId))).toBe("own_proof_required");
  });

  test("of an account without a password shows its own by a mailed code", async () => {
    const person = { sub: `s${++people}`, email: newEmail() };
    const vouched = await signInAs(person);
    expect(await stepUpWays(await callerOf(vouched), clients)).toEqual({
      methods: ["provider", "mail"],
      providers: [t.id],
      ownProviders: [],
    });
    expect((await listIdentities(await callerOf(vouched))).map(({ how }) => how)).toEqual(["registered"]);
    const { accessToken } = await step(vouched, { mailedCode: await mailedCodeOf(vouched) });
    const mine = await auth.createOrganisation({ name: "Mine" }, await as({ accessToken }));
    expect((await into({ accessToken }, mine.id)).organisation?.id).toBe(mine.id);
  });

  test("is not made own by an account's second factor that was not asked for, and is by one that was", async () => {
    const { own: mine, person, ownId } = await inBoth();
    const caller = await callerOf(mine);
    const app = URI.parse((await beginTotp(caller)).uri) as TOTP;
    await confirmTotp(caller, app.generate(), now());
    const error = (await signInAs(person).catch((cause: unknown) => cause)) as { details: { challenge: string } };
    const proof = { challenge: error.details.challenge, code: app.generate({ timestamp: Date.now() + 30_000 }) };
    const signedIn = await completeSecondFactor(proof, now(), here, null);
    expect(signedIn.organisation?.id).toBe(t.owner.tenantId);
    expect((await into(signedIn, ownId)).organisation?.id).toBe(ownId);
  });

  test("is in no organisation once its person was removed, the organisation is deleted, or the domain is lost", async () => {
    const { person, own: mine } = await inBoth();
    const vouched = await signInAs(person);
    await auth.removeMember({ userId: mine.user.id }, t.owner);
    const next = await refreshed(vouched);
    expect(next.organisation).toBeNull();
    expect(await reason(into(next, t.owner.tenantId))).toBe("organisation_not_found");

    const staying = await inBoth();
    const [session, kept] = [await signInAs(staying.person), await withPassword(staying.own.user.email)];
    const there = await into(kept, t.owner.tenantId);
    const lose = (verifiedAt: string): Promise<unknown> =>
      systemQuery("test", `update auth.domain set verified_at = ${verifiedAt} where id = $1`, [t.domainId]);
    await lose("null");
    const without = await refreshed(session);
    expect(without.organisation).toBeNull();
    expect(await reason(into(without, t.owner.tenantId))).toBe("own_proof_required");
    // Who showed their own stays.
    expect((await refreshed(there)).organisation?.id).toBe(t.owner.tenantId);
    const jar = { active: undefined, accounts: [{ accountId: session.user.id, refreshToken: without.refreshToken }] };
    expect((await listAccounts(jar as unknown as Parameters<typeof listAccounts>[0]))[0]?.organisation).toBeNull();
    await lose("now()");
    expect((await refreshed(without)).organisation?.id).toBe(t.owner.tenantId);
    await systemQuery("test", "update auth.organisation set purge_at = now() + interval '1 day' where id = $1", [
      t.owner.tenantId,
    ]);
    const closed = await refreshed(there);
    expect(closed.organisation).toBeNull();
    await systemQuery("test", "update auth.organisation set purge_at = null where id = $1", [t.owner.tenantId]);
  });

  test("counts for what its provider was: another issuer, or none, vouched for nobody", async () => {
    const { person } = await inBoth();
    const vouched = await signInAs(person);
    await setIdentityProvider(t.owner.principal, { ...usual, issuer: elsewhere.issuer }, clients);
    await expect(readAccessToken(vouched.accessToken, now())).rejects.toThrow("revoked");
    const next = await refreshed(vouched);
    expect(next.organisation).toBeNull();
    expect(await reason(into(next, t.owner.tenantId))).toBe("own_proof_required");
    await require(false);
    // The first one again is another one too.
    expect((await refreshed(next)).organisation).toBeNull();
    const again = await signInAs({ sub: `s${++people}`, email: newEmail() });
    // A new secret or role is no other provider.
    await setIdentityProvider(
      t.owner.principal,
      { ...usual, issuer: t.provider.issuer, defaultRole: "viewer" },
      clients,
    );
    expect((await refreshed(again)).organisation?.id).toBe(t.owner.tenantId);
    const told = (await mailsTo(t.owner.email)).filter(({ subject }) => subject.endsWith("was changed"));
    expect(told[0]?.text).toContain(`sign in at ${t.provider.issuer} from now on`);
    expect(told.length).toBeGreaterThan(2);
  });
});

describe("an organisation that requires its provider", () => {
  const member = (): Promise<SignedIn> => colleague(newEmail(), t.owner);
  /** With the provider's word in this very session, beside what was shown before. */
  const vouchIn = async (signedIn: SignedIn, person: Person): Promise<{ accessToken: string }> => {
    const begun = await beginStepUp(await callerOf(signedIn), { provider: t.id, browser: undefined }, now(), clients);
    return step(signedIn, { url: await t.provider.visit(begun.url, person), browser: begun.browser });
  };

  test("keeps nobody in whom it did not vouch for: sessions from before are out at their next token", async () => {
    const [ada, { own: both, person }] = [await member(), await inBoth()];
    const [staying, owner] = [await signInAs(person), await withPassword(t.owner.email, t.owner.password)];
    const there = await into(both, t.owner.tenantId);
    await require(true);
    for (const before of [ada, there]) {
      await expect(readAccessToken(before.accessToken, now())).rejects.toThrow("revoked");
      const next = await refreshed(before);
      expect(next.organisation).toBeNull();
      expect(await reason(into(next, t.owner.tenantId))).toBe("provider_required");
      const caller = { ...(await callerOf(next)), tenantId: t.owner.tenantId };
      const { accessToken } = await stepUp(caller, { password }, now(), here, clients);
      expect((await identify(accessToken)).tenantId).toBeUndefined();
    }
    expect((await refreshed(staying)).organisation?.id).toBe(t.owner.tenantId);
    expect((await refreshed(owner)).organisation?.id).toBe(t.owner.tenantId);
    await require(false);
    expect((await into(await refreshed(ada), t.owner.tenantId)).organisation?.id).toBe(t.owner.tenantId);
  });

  test("lets in a session of another kind once its provider vouched for it too", async () => {
    const { own: mine, ownId, person } = await inBoth();
    await require(true);
    expect(await reason(into(mine, t.owner.tenantId))).toBe("provider_required");
    const vouched = await vouchIn(mine, person);
    expect(decodeJwt(vouched.accessToken)["amr"]).toEqual(["pwd", "sso"]);
    const there = await into(vouched, t.owner.tenantId);
    expect((await refreshed(there)).organisation?.id).toBe(t.owner.tenantId);
    expect((await into(there, ownId)).organisation?.id).toBe(ownId);
    // What was opened by something of the account's own stays as fresh as that: the provider's word is the organisation's.
    const authenticatedAt = (text: string): unknown => decodeJwt(text)["auth_time"];
    expect(authenticatedAt(vouched.accessToken)).toBe(authenticatedAt(mine.accessToken));
    const alone = await signInAs(person);
    await systemQuery("test", "update auth.session set authenticated_at = now() - interval '1 hour' where id = $1", [
      (await callerOf(alone)).sessionId,
    ]);
    expect(authenticatedAt((await vouchIn(alone, person)).accessToken)).toBeGreaterThan(Date.now() / 1000 - 600);
    await require(false);
  });

  test("is left by an account that takes its first address back, which is of no domain of the organisation", async () => {
    const first = `guest${++people}@guests.example.com`;
    const [ada, inside] = [await colleague(first, t.owner), newEmail()];
    await auth.changeEmail({ email: inside }, await as(ada));
    await auth.confirmEmail({ token: await mailedToken(inside) });
    const wayBack = await mailedToken(first);
    await require(true);
    await auth.revertEmail({ token: wayBack });
    await auth.forgotPassword({ email: first });
    await auth.resetPassword({ token: await mailedToken(first), password });
    const back = await withPassword(first);
    expect(back.organisation).toBeNull();
    expect(await reason(into(back, t.owner.tenantId))).toBe("organisation_not_found");
    await require(false);
    // Not required, or within the organisation's domains, it stays.
    const guest = `guest${++people}@guests.example.com`;
    const [bob, moved] = [await colleague(guest, t.owner), newEmail()];
    await auth.changeEmail({ email: moved }, await as(bob));
    await auth.confirmEmail({ token: await mailedToken(moved) });
    await auth.revertEmail({ token: await mailedToken(guest) });
    await auth.forgotPassword({ email: guest });
    await auth.resetPassword({ token: await mailedToken(guest), password });
    expect((await withPassword(guest)).organisation?.id).toBe(t.owner.tenantId);
  });
});

describe("the rule", () => {
  test("is a table", () => {
    const speakers = [
      null,
      ...[true, false].flatMap((isRequired) => [true, false].map((hasVouched) => ({ id, isRequired, hasVouched }))),
    ];
    const rows = (["owner", "member"] as const).flatMap((role) =>
      [["sso"], ["sso", "pwd"], ["pwd"], []].flatMap((amr) =>
        speakers.map((speaker) =>
          [
            role,
            amr.join("+"),
            speaker && [speaker.isRequired, speaker.hasVouched].join(),
            refusalOf({ role }, { amr, speaker }) ?? "in",
          ].join(" "),
        ),
      ),
    );
    expect(rows).toMatchInlineSnapshot(`
      [
        "owner sso  own_proof_required",
        "owner sso true,true in",
        "owner sso true,false own_proof_required",
        "owner sso false,true in",
        "owner sso false,false own_proof_required",
        "owner sso+pwd  in",
        "owner sso+pwd true,true in",
        "owner sso+pwd true,false in",
        "owner sso+pwd false,true in",
        "owner sso+pwd false,false in",
        "owner pwd  in",
        "owner pwd true,true in",
        "owner pwd true,false in",
        "owner pwd false,true in",
        "owner pwd false,false in",
        "owner   own_proof_required",
        "owner  true,true in",
        "owner  true,false own_proof_required",
        "owner  false,true in",
        "owner  false,false own_proof_required",
        "member sso  own_proof_required",
        "member sso true,true in",
        "member sso true,false provider_required",
        "member sso false,true in",
        "member sso false,false own_proof_required",
        "member sso+pwd  in",
        "member sso+pwd true,true in",
        "member sso+pwd true,false provider_required",
        "member sso+pwd false,true in",
        "member sso+pwd false,false in",
        "member pwd  in",
        "member pwd true,true in",
        "member pwd true,false provider_required",
        "member pwd false,true in",
        "member pwd false,false in",
        "member   own_proof_required",
        "member  true,true in",
        "member  true,false provider_required",
        "member  false,true in",
        "member  false,false own_proof_required",
      ]
    `);
  });

  test("is asked wherever somebody acts for themselves: each endpoint is declared, or listed here with a reason", () => {
    const page = readFileSync(new URL("../../docs/permissions.md", import.meta.url), "utf8");
    const lines = page.split("\n").filter((line) => /`auth\.\w+`.*`self`/.test(line));
    const named = (line: string): string => /`auth\.(\w+)`/.exec(line)?.[1] ?? "";
    const declared = lines.filter((line) => line.includes("`own-proof`")).map(named);
    expect(declared.toSorted()).toEqual(Object.keys(own).toSorted());
    expect(lines.map(named).toSorted()).toEqual([...declared, ...HARMLESS, ...JUDGED].toSorted());
  });
});
