// What links in mails do: verify an address, set a new password.
import { auth } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { Limits, limits } from "../../security/limits";
import { sendAccountMail } from "../jobs";
import { createOneTimeToken, hashOneTimeToken } from "../one-time-token";
import { register, type Registered } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import * as store from "../store/one-time-tokens";
import { purgeEnded } from "../upkeep";
import { as, identify } from "./callers";
import { mailedToken, mailsTo } from "./mails";
import { count, here, newcomer, password, reason } from "./people";

const fresh = "another fine passphrase";
const person = async (): Promise<Registered> => register(newcomer(), new Date());
const isVerified = async (signedIn: SignedIn): Promise<boolean | undefined> =>
  (await auth.me(await as(signedIn))).user?.emailVerified;
const age = (accountId: string, seconds: number): Promise<unknown> =>
  systemQuery(
    "test",
    "update auth.one_time_token set expires_at = expires_at - make_interval(secs => $2) where account_id = $1",
    [accountId, seconds],
  );
const verified = async (): Promise<Registered> => {
  const ada = await person();
  await auth.verifyEmail({ token: await mailedToken(ada.user.email) });
  return ada;
};

describe("a one-time token", () => {
  test("has 256 random bits, and only its hash is stored", async () => {
    expect(Buffer.from(createOneTimeToken().text, "base64url")).toHaveLength(32);
    expect(createOneTimeToken().text).not.toBe(createOneTimeToken().text);
    const ada = await person();
    const token = await mailedToken(ada.user.email);
    const rows = await systemQuery<{ row: string; hash: Buffer }>(
      "test",
      "select t::text as row, hash from auth.one_time_token t where account_id = $1",
      [ada.user.id],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toContain(token);
    expect(rows[0]?.hash).toEqual(hashOneTimeToken(token));
    const outbox = await systemQuery<{ row: string }>("test", "select o::text as row from events.outbox o");
    for (const { row } of outbox) expect(row).not.toContain(token);
  });

  test("works once, of many at once for one, and for its own purpose", async () => {
    const ada = await person();
    const token = await mailedToken(ada.user.email);
    expect(await reason(auth.resetPassword({ token, password: fresh }))).toBe("link_invalid");
    const outcomes = await Promise.all([1, 2, 3].map(() => reason(auth.verifyEmail({ token }))));
    expect(outcomes.toSorted()).toEqual(["link_invalid", "link_invalid", undefined]);
  });

  test("is replaced by that of a newer mail, and by that of another attempt of the same job", async () => {
    const ada = await person();
    const first = await mailedToken(ada.user.email);
    await sendAccountMail({ kind: "verify-email", accountId: ada.user.id }, null);
    const second = await mailedToken(ada.user.email);
    await auth.sendVerificationMail(await as(ada));
    const third = await mailedToken(ada.user.email);
    expect(new Set([first, second, third]).size).toBe(3);
    for (const token of [first, second]) expect(await reason(auth.verifyEmail({ token }))).toBe("link_invalid");
    expect(await count(`auth.one_time_token where account_id = '${ada.user.id}'`)).toBe(1);
    await auth.verifyEmail({ token: third });
  });

  test("expires: a day for an address, an hour for a password; upkeep removes it", async () => {
    const ada = await person();
    const verify = await mailedToken(ada.user.email);
    await auth.forgotPassword({ email: ada.user.email });
    const reset = await mailedToken(ada.user.email);
    await age(ada.user.id, 3_590);
    expect(await reason(auth.resetPassword({ token: reset, password: "short" }))).toBe("weak_password");
    await age(ada.user.id, 10);
    expect(await reason(auth.resetPassword({ token: reset, password: fresh }))).toBe("link_invalid");
    await age(ada.user.id, 86_400 - 3_600);
    expect(await reason(auth.verifyEmail({ token: verify }))).toBe("link_invalid");
    expect((await purgeEnded()).oneTimeTokens).toBe(2);
  });

  test("that is wrong again and again shuts its address, before the database is asked", async () => {
    const strict = new Limits({ scale: 0.15 }); // three
    vi.spyOn(limits, "assertFewFailures").mockImplementation(strict.assertFewFailures.bind(strict));
    vi.spyOn(limits, "countFailure").mockImplementation(strict.countFailure.bind(strict));
    const looked = vi.spyOn(store, "oneTimeTokenFind");
    const token = createOneTimeToken().text;
    const invited = { email: "nobody@example.com", password: fresh, invitation: token };
    const outcomes = [
      await reason(auth.verifyEmail({ token })),
      await reason(auth.resetPassword({ token, password: fresh })),
      await reason(auth.register(invited)),
      await reason(auth.verifyEmail({ token })),
      await reason(auth.resetPassword({ token, password: fresh })),
      await reason(auth.register(invited)),
      await reason(auth.confirmEmail({ token })),
      await reason(auth.revertEmail({ token })),
    ];
    expect(outcomes).toEqual([
      "link_invalid",
      "link_invalid",
      "invitation_not_found",
      ...Array<string>(5).fill("rate_limited"),
    ]);
    expect(looked).toHaveBeenCalledTimes(2);
    vi.restoreAllMocks();
  });

  test("that nobody made is refused, whatever it looks like", async () => {
    for (const token of ["x", "\0", "é".repeat(200), createOneTimeToken().text]) {
      expect(await reason(auth.verifyEmail({ token }))).toBe("link_invalid");
      expect(await reason(auth.resetPassword({ token, password: fresh }))).toBe("link_invalid");
    }
  });
});

describe("an address", () => {
  test("is verified by the mailed link, which leads to the app and nowhere else", async () => {
    const ada = await person();
    expect(await isVerified(ada)).toBe(false);
    const [mail] = await mailsTo(ada.user.email);
    expect(mail?.subject).toBe("Confirm your e-mail address");
    expect(mail?.text).toContain(`http://localhost:4000/verify-email#token=${mail?.token ?? ""}\n`);
    expect(mail?.text).toContain(`POST /auth/verify-email {"token":"${mail?.token ?? ""}"}`);
    await auth.verifyEmail({ token: mail?.token ?? "" });
    expect(await isVerified(ada)).toBe(true);
    const events = await systemQuery(
      "test",
      "select payload from events.outbox where type = 'auth.email.verified' and aggregate_id = $1",
      [ada.user.id],
    );
    expect(events).toEqual([{ payload: { userId: ada.user.id } }]);
  });

  test("that is verified is sent no further mail", async () => {
    const ada = await verified();
    await auth.sendVerificationMail(await as(ada));
    await sendAccountMail({ kind: "verify-email", accountId: ada.user.id }, null);
    expect(await mailsTo(ada.user.email)).toHaveLength(1);
  });

  test("is not verified by a token that was mailed to the one before", async () => {
    const ada = await person();
    const token = await mailedToken(ada.user.email);
    await systemQuery("test", "update auth.account set email = 'moved-' || email where id = $1", [ada.user.id]);
    expect(await reason(auth.verifyEmail({ token }))).toBe("link_invalid");
    expect(await isVerified(ada)).toBe(false);
  });

  test("is sent five mails an hour at most, asked for by whomever, registered or not", async () => {
    const known = (await person()).user.email;
    const unknown = newcomer().email;
    const key = (email: string): string => hashOneTimeToken(email).toString("base64url");
    for (const email of [known, unknown]) {
      // The tests' quota is a thousand times as large.
      for (let i = 0; i < 4_999; i++) await limits.consume("mail", "account", key(email));
      expect(await reason(auth.forgotPassword({ email }))).toBeUndefined();
      expect(await reason(auth.forgotPassword({ email: email.toUpperCase() }))).toBe("rate_limited");
    }
  });
});

describe("a forgotten password", () => {
  test("is replaced by who was shut out by strangers' attempts, and lets them in at once", async () => {
    const ada = await verified();
    const { email } = ada.user;
    const used = vi.spyOn(limits, "consume");
    await signIn({ email, password }, new Date(), here);
    const tried = used.mock.calls.find(([policy, dimension]) => policy === "auth" && dimension === "account");
    vi.restoreAllMocks();
    // The tests' quota is a thousand times as large.
    await limits.consume("auth", "account", tried?.[2] ?? "", 50_000);
    const elsewhere = "192.0.2.200";
    expect(await reason(signIn({ email, password }, new Date(), elsewhere))).toBe("rate_limited");
    await auth.forgotPassword({ email });
    await auth.resetPassword({ token: await mailedToken(email), password: fresh });
    expect((await signIn({ email, password: fresh }, new Date(), elsewhere)).user).toEqual(ada.user);
  });

  test("is replaced by the mailed link: all sign-ins end, the address is verified, its owner is told", async () => {
    const ada = await verified();
    const phone = await signIn({ email: ada.user.email, password }, new Date(), here);
    const { id: keyId } = await auth.createApiKey({ name: "ci" }, await as(ada));
    await auth.forgotPassword({ email: ` ${ada.user.email.toUpperCase()} ` });
    const token = await mailedToken(ada.user.email);
    expect(await identify(ada.accessToken)).toBeDefined();
    await auth.resetPassword({ token, password: fresh });
    for (const { accessToken, refreshToken } of [ada, phone]) {
      expect(await reason(identify(accessToken))).toBe("invalid_token");
      expect(await reason(refreshSession(refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    }
    expect(await reason(signIn({ email: ada.user.email, password }, new Date(), here))).toBe("invalid_credentials");
    const back = await signIn({ email: ada.user.email, password: fresh }, new Date(), here);
    expect((await auth.listApiKeys({}, await as(back))).keys.map(({ id }) => id)).toEqual([keyId]);
    expect((await mailsTo(ada.user.email))[0]?.subject).toBe("Your password was changed");
    expect(await reason(auth.resetPassword({ token, password: fresh }))).toBe("link_invalid");
  });

  test("of an account that nobody had verified hands it over: whoever registered the address loses everything", async () => {
    const squatter = await person();
    const verification = await mailedToken(squatter.user.email);
    const { key } = await auth.createApiKey({ name: "backdoor" }, await as(squatter));
    await auth.forgotPassword({ email: squatter.user.email });
    await auth.resetPassword({ token: await mailedToken(squatter.user.email), password: fresh });
    expect(await reason(identify(squatter.accessToken))).toBe("invalid_token");
    expect(await reason(refreshSession(squatter.refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    expect(await reason(identify(key))).toBe("invalid_token");
    expect(await reason(auth.verifyEmail({ token: verification }))).toBe("link_invalid");
    const owner = await signIn({ email: squatter.user.email, password: fresh }, new Date(), here);
    expect(await isVerified(owner)).toBe(true);
    const events = await systemQuery<{ payload: unknown }>(
      "test",
      "select payload from events.outbox where type = 'auth.password.reset' and aggregate_id = $1",
      [owner.user.id],
    );
    expect(events).toEqual([{ payload: { userId: owner.user.id, claimed: true } }]);
  });

  test("of an account that nobody had verified hands it over without the organisations of whoever made it", async () => {
    const [squatter, accomplice] = [await person(), await verified()];
    const own = await as(squatter);
    const joinedAs = async (role: "owner" | "member"): Promise<string> => {
      const { id } = await auth.createOrganisation({ name: `Trap of a ${role}` }, own);
      const sql = "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, $3)";
      await systemQuery("test", sql, [id, accomplice.user.id, role]);
      return id;
    };
    const [owned, shared] = [await joinedAs("owner"), await joinedAs("member")];
    const { id: machine } = await auth.createServicePrincipal({ name: "ci", permissions: ["document.read"] }, own);
    const { key } = await auth.createApiKey({ name: "ci", servicePrincipalId: machine }, own);
    await auth.inviteMember({ email: newcomer().email, role: "admin" }, own);
    await auth.forgotPassword({ email: squatter.user.email });
    await auth.resetPassword({ token: await mailedToken(squatter.user.email), password: fresh });

    expect(await reason(identify(key))).toBe("invalid_token");
    const owner = await signIn({ email: squatter.user.email, password: fresh }, new Date(), here);
    expect(owner.organisation).toBeNull();
    const { organisations, closing } = await auth.organisations(await as(owner));
    expect(organisations).toEqual([]);
    const { id: first } = squatter.organisation;
    expect(closing.map(({ id }) => id).toSorted()).toEqual([first, shared].toSorted());
    // With another owner it goes on, without the account.
    expect(await count(`auth.membership where tenant_id = '${owned}'`)).toBe(1);
    // What its owner made themselves, before they read the mail, they take back: without what nobody sees.
    await auth.restoreOrganisation({ id: first }, await as(owner));
    const there = await as(await auth.switchTo({ organisationId: first }, await as(owner)));
    expect((await auth.listServicePrincipals({}, there)).servicePrincipals).toEqual([]);
    expect((await auth.listInvitations({}, there)).invitations).toEqual([]);
    expect(await reason(identify(key))).toBe("invalid_token");
  });

  test("of an unknown address is answered alike, after the same work, and nobody is mailed", async () => {
    const { email: unknown } = newcomer();
    const known = (await person()).user.email;
    await mailsTo(known);
    const jobs = (): Promise<number> => count("events.outbox where destination = 'job' and type = 'auth:mail'");
    const before = await jobs();
    const answers = [await auth.forgotPassword({ email: unknown }), await auth.forgotPassword({ email: known })];
    expect(answers[0]).toBe(answers[1]);
    expect(await jobs()).toBe(before + 2);
    expect(await mailsTo(unknown)).toEqual([]);
    expect((await mailsTo(known))[0]?.subject).toBe("Set a new password");
    expect(await reason(auth.forgotPassword({ email: "nobody" }))).toBe("invalid_request");
  });

  test("is no way in after the password was changed meanwhile", async () => {
    const ada = await verified();
    await auth.forgotPassword({ email: ada.user.email });
    const token = await mailedToken(ada.user.email);
    await auth.changePassword({ current: password, password: fresh }, await as(ada));
    expect(await reason(auth.resetPassword({ token, password: "yet another passphrase" }))).toBe("link_invalid");
    expect((await mailsTo(ada.user.email))[0]?.subject).toBe("Your password was changed");
  });
});
