// The second factor: what whoever knows the password still cannot do. Time is given, so that codes have the step they need.
import { randomBytes } from "node:crypto";
import { hash } from "@node-rs/argon2";
import { auth } from "~encore/clients";
import { decodeJwt } from "jose";
import { URI, type TOTP } from "otpauth";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { systemQuery, withSystem } from "../../db/tenant";
import { databaseClock } from "../../security/database-clock";
import { Limits, limits } from "../../security/limits";
import { callerFrom, type AuthData, type Caller } from "../../security/principal";
import { changePassword } from "../account";
import { forgetCredentials } from "../credentials";
import { keysetOf, open } from "../../security/envelope";
import { CHALLENGE_SECONDS, createChallenge, readChallenge } from "../factors/challenge";
import { beginTotp, confirmTotp, listFactors, removeTotp, replaceRecoveryCodes } from "../factors/enrolment";
import { totpKey } from "../factors/keys";
import { CODE_FAILURES_MAX } from "../factors/proof";
import { createRecoveryCode, hashRecoveryCode } from "../factors/recovery-codes";
import { resealTotp } from "../factors/reseal";
import { completeSecondFactor } from "../factors/second-factor";
import { stepUp } from "../factors/step-up";
import { matchStep } from "../factors/totp";
import { register, type Registered } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { here, newcomer, password, reason } from "./people";

const t0 = new Date();
/** So many steps of thirty seconds from now. */
const step = (n: number): Date => new Date(t0.getTime() + n * 30_000);
const callerOf = async ({ accessToken }: Pick<SignedIn, "accessToken">): Promise<Caller> =>
  callerFrom(await readAccessToken(accessToken, t0));

interface Secured extends Registered {
  codeAt: (now: Date) => string;
  secretHex: string;
  recoveryCodes: string[];
}

/** Somebody with an app; the code of step 0 is used up. */
async function secured(): Promise<Secured> {
  const person = await register(newcomer(), t0);
  const caller = await callerOf(person);
  const { uri } = await beginTotp(caller);
  const app = URI.parse(uri) as TOTP;
  const codeAt = (now: Date): string => app.generate({ timestamp: now.getTime() });
  const recoveryCodes = (await confirmTotp(caller, codeAt(t0), t0)) ?? [];
  return { ...person, codeAt, recoveryCodes, secretHex: app.secret.hex.toLowerCase() };
}

/** What signing in with the password answers. */
async function challengeOf({ user }: Registered, now = t0): Promise<{ challenge: string; methods: string[] }> {
  const refusal: unknown = await signIn({ email: user.email, password }, now, here).catch((error: unknown) => error);
  const { details } = refusal as { details: { reason: string; challenge: string; methods: string[] } };
  expect(details.reason).toBe("second_factor_required");
  return details;
}
const complete = (challenge: string, proof: { code?: string; recoveryCode?: string }, now = t0): Promise<SignedIn> =>
  completeSecondFactor({ challenge, ...proof }, now, here, null);
const eventsOf = async ({ user }: Registered, type: string): Promise<unknown[]> =>
  (
    await systemQuery<{ payload: unknown }>(
      "test",
      "select payload from events.outbox where type = $2 and aggregate_id = $1 order by created_at",
      [user.id, type],
    )
  ).map(({ payload }) => payload);

// A suite before this one in the process may have moved the clock by which the database's is known.
beforeAll(() => databaseClock.note(Date.now(), performance.now(), performance.now()));
afterEach(() => vi.restoreAllMocks());

describe("codes that count with the clock", () => {
  test.each([
    [59, "287082"],
    [1111111109, "081804"],
    [1111111111, "050471"],
    [1234567890, "005924"],
    [2000000000, "279037"],
  ])("are those of RFC 6238, appendix B: at %i", (seconds, code) => {
    const secret = Buffer.from("12345678901234567890");
    const at = (s: number): Date => new Date(s * 1000);
    const here30 = Math.floor(seconds / 30);
    expect(matchStep(secret, code, at(seconds), null)).toBe(here30);
    expect(matchStep(secret, code, at(seconds + 30), null)).toBe(here30);
    expect(matchStep(secret, code, at(seconds - 30), null)).toBe(here30);
    expect(matchStep(secret, code, at(seconds + 60), null)).toBeUndefined();
    expect(matchStep(secret, code, at(seconds - 60), null)).toBeUndefined();
    expect(matchStep(secret, code, at(seconds), here30)).toBeUndefined();
    expect(matchStep(secret, `${code.slice(0, 3)} ${code.slice(3)}`, at(seconds), here30 - 1)).toBe(here30);
  });

  test.each(["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "1e1000", " ".repeat(10_000)])(
    "are six digits: %j is none",
    (text) => {
      expect(matchStep(Buffer.alloc(20), text, t0, null)).toBeUndefined();
    },
  );
});

describe("recovery codes", () => {
  test("have 120 bits, and are read as people type them", () => {
    const code = createRecoveryCode();
    expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/);
    expect(createRecoveryCode(Buffer.alloc(15, 255))).toBe("ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ");
    const ones = createRecoveryCode(Buffer.from("084210842108421084210842108421", "hex"));
    expect(ones).toBe("1111-1111-1111-1111-1111-1111");
    expect(hashRecoveryCode(" il11 1111-1111-1111-1111-iL1i")).toEqual(hashRecoveryCode(ones));
    for (const wrong of ["", code.slice(1), `${code}0`, code.replace(/.$/, "U"), "-".repeat(64)])
      expect(hashRecoveryCode(wrong)).toBeUndefined();
  });
});

describe("an account with a second factor", () => {
  test("asks for it at sign-in, from the moment a code came back and not before", async () => {
    const person = await register(newcomer(), t0);
    const caller = await callerOf(person);
    const { secret, uri } = await beginTotp(caller);
    expect(uri).toContain(secret);
    expect(await signIn({ email: person.user.email, password }, t0, here)).toBeDefined();
    expect(await reason(confirmTotp(caller, "000000", step(2_000_000)))).toBe("second_factor_invalid");
    const code = (URI.parse(uri) as TOTP).generate({ timestamp: t0.getTime() });
    expect(await confirmTotp(caller, code, t0)).toHaveLength(10);
    const { challenge, methods } = await challengeOf(person);
    expect(methods).toEqual(["totp", "recovery-code"]);
    const next = (URI.parse(uri) as TOTP).generate({ timestamp: step(1).getTime() });
    const { accessToken, refreshToken, ...rest } = await complete(challenge, { code: next });
    expect(rest).toEqual({ expiresIn: 900, user: person.user, organisation: person.organisation });
    expect(decodeJwt(accessToken)).toMatchObject({ amr: ["pwd", "otp", "mfa"], sub: person.user.id });
    const renewed = await refreshSession(refreshToken, t0, here);
    expect(decodeJwt(renewed.accessToken).amr).toEqual(["pwd", "otp", "mfa"]);
  });

  // RFC 6238 §5.2: whoever sees a code typed must not use it too.
  test("takes a code once: neither again, nor for another challenge, nor the one that confirmed it", async () => {
    const person = await secured();
    const [one, two] = [await challengeOf(person), await challengeOf(person)];
    expect(await reason(complete(one.challenge, { code: person.codeAt(t0) }))).toBe("second_factor_invalid");
    const code = person.codeAt(step(1));
    expect(await complete(one.challenge, { code })).toBeDefined();
    expect(await reason(complete(two.challenge, { code }))).toBe("second_factor_invalid");
    expect(await reason(complete(two.challenge, { code: person.codeAt(step(0)) }, step(1)))).toBe(
      "second_factor_invalid",
    );
    expect(await complete(two.challenge, { code: person.codeAt(step(2)) }, step(2))).toBeDefined();
  });

  test("takes a challenge once, in its time, for its purpose, and while the password is the same", async () => {
    const person = await secured();
    const used = await challengeOf(person);
    await complete(used.challenge, { code: person.codeAt(step(1)) });
    expect(await reason(complete(used.challenge, { code: person.codeAt(step(2)) }, step(2)))).toBe("challenge_invalid");
    const late = new Date(t0.getTime() + CHALLENGE_SECONDS * 1000);
    const stale = await challengeOf(person);
    expect(await reason(complete(stale.challenge, { code: person.codeAt(late) }, late))).toBe("challenge_invalid");
    const { accountId, credentialTag } = readChallenge("second-factor", stale.challenge, t0) ?? {};
    const other = createChallenge("passkey-sign-in", { accountId, credentialTag }, t0);
    for (const wrong of ["", "x", other, "A".repeat(2_000), stale.challenge.slice(0, -2), `${stale.challenge}AA`])
      expect(await reason(complete(wrong, { code: person.codeAt(step(2)) }, step(2)))).toBe("challenge_invalid");
    expect(readChallenge("passkey-sign-in", other, t0)).toMatchObject({ accountId: person.user.id });
    const before = await challengeOf(person);
    await changePassword(await callerOf(person), { current: password, password: "another fine passphrase" }, here);
    expect(await reason(complete(before.challenge, { code: person.codeAt(step(2)) }, step(2)))).toBe(
      "challenge_invalid",
    );
  });

  // Replicas' clocks differ: a code that one has taken must not be new for another, nor a challenge live for longer there.
  test("takes codes and challenges by the database's clock, also where this machine's is five minutes behind", async () => {
    const person = await secured();
    const before = await challengeOf(person);
    const behindMs = (CHALLENGE_SECONDS + 1) * 1000;
    vi.spyOn(databaseClock, "nowMs").mockImplementation(() => Date.now() + behindMs);
    const [recoveryCode = ""] = person.recoveryCodes;
    expect(await reason(complete(before.challenge, { recoveryCode }))).toBe("challenge_invalid");
    expect(await reason(secured())).toBe("second_factor_invalid");
    const { challenge } = await challengeOf(person);
    expect(await reason(complete(challenge, { code: person.codeAt(step(1)) }, step(1)))).toBe("second_factor_invalid");
    const code = person.codeAt(new Date(step(1).getTime() + behindMs));
    expect(await complete(challenge, { code }, step(1))).toBeDefined();
  });

  test("takes exactly one proof, and none of another account", async () => {
    const [person, stranger] = [await secured(), await secured()];
    const { challenge } = await challengeOf(person);
    expect(await reason(complete(challenge, {}))).toBe("invalid_request");
    const both = { code: person.codeAt(step(1)), recoveryCode: person.recoveryCodes[0] ?? "" };
    expect(await reason(complete(challenge, both))).toBe("invalid_request");
    for (const proof of [{ code: stranger.codeAt(step(1)) }, { recoveryCode: stranger.recoveryCodes[0] ?? "" }])
      expect(await reason(complete(challenge, proof))).toBe("second_factor_invalid");
    expect(await complete(challenge, { code: person.codeAt(step(1)) })).toBeDefined();
  });

  test("keeps the secret sealed and the recovery codes as hashes", async () => {
    const person = await secured();
    const rows = JSON.stringify(
      await systemQuery(
        "test",
        "select t::text, (select string_agg(r::text, '') from auth.recovery_code r) from auth.totp t",
      ),
    );
    const { recoveryCodes, secretHex } = person;
    expect(secretHex).toHaveLength(40);
    expect(rows).not.toContain(secretHex);
    expect(recoveryCodes).toHaveLength(10);
    for (const code of recoveryCodes) expect(rows).not.toContain(code.replaceAll("-", ""));
    // A sealed secret of another account opens for nobody.
    const stranger = await secured();
    await systemQuery(
      "test",
      "update auth.totp set secret_sealed = (select secret_sealed from auth.totp where account_id = $2) where account_id = $1",
      [person.user.id, stranger.user.id],
    );
    const { challenge } = await challengeOf(person);
    await expect(complete(challenge, { code: stranger.codeAt(step(1)) })).rejects.toThrow(/does not open/);
  });

  // Who knows the password has a challenge whenever he likes: a right password must not give him new guesses (gogs #5700).
  test("is sealed again when the master key is replaced, and what no key opens stays as it is", async () => {
    const person = await secured();
    const [present] = totpKey();
    const [next] = keysetOf(randomBytes(32));
    expect(await resealTotp([next, present])).toBeGreaterThan(0);
    expect(await resealTotp([next, present])).toBe(0);
    const [row] = await systemQuery<{ sealed: Buffer }>(
      "test",
      "select secret_sealed as sealed from auth.totp where account_id = $1",
      [person.user.id],
    );
    expect(open([next], row!.sealed, person.user.id).toString("hex")).toBe(person.secretHex);
    const { challenge } = await challengeOf(person);
    await expect(complete(challenge, { code: person.codeAt(step(1)) }, step(1))).rejects.toThrow(/sealed with the key/);

    expect(await resealTotp(keysetOf(randomBytes(32)))).toBe(0);
    expect(await resealTotp([present, next])).toBeGreaterThan(0);
    await expect(complete(challenge, { code: person.codeAt(step(1)) }, step(1))).resolves.toBeDefined();
  });

  test("goes on with the challenge of a sign-in that renewed the password's hash", async () => {
    const person = await secured();
    const old = await hash(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 });
    await systemQuery("test", "update auth.account set password_hash = $2 where id = $1", [person.user.id, old]);
    const { challenge } = await challengeOf(person);
    await expect(complete(challenge, { code: person.codeAt(step(1)) }, step(1))).resolves.toBeDefined();
  });

  test("shuts out who guesses codes, however often he signs in again meanwhile", async () => {
    const person = await secured();
    const strict = new Limits({ scale: 0.4 }); // two
    for (const method of ["consume", "forget", "assertFewFailures", "countFailure"] as const)
      vi.spyOn(limits, method).mockImplementation(strict[method].bind(strict));
    const wrong = async (code: string): Promise<string | undefined> =>
      reason(complete((await challengeOf(person)).challenge, { code }));
    expect([await wrong("000000"), await wrong("000000"), await wrong(person.codeAt(step(1)))]).toEqual([
      "second_factor_invalid",
      "second_factor_invalid",
      "rate_limited",
    ]);
  });

  test("takes no code after a hundred wrong ones, until another factor is shown", async () => {
    const person = await secured();
    const fail = (n: number): Promise<unknown> =>
      systemQuery("test", "update auth.totp set failures = $2 where account_id = $1", [person.user.id, n]);
    await fail(CODE_FAILURES_MAX - 1);
    const { challenge } = await challengeOf(person);
    expect(await reason(complete(challenge, { code: "000000" }))).toBe("second_factor_invalid");
    expect(await reason(complete(challenge, { code: person.codeAt(step(1)) }))).toBe("second_factor_invalid");
    await complete(challenge, { recoveryCode: person.recoveryCodes[0] ?? "" });
    const again = await challengeOf(person);
    expect(await complete(again.challenge, { code: person.codeAt(step(1)) })).toBeDefined();
  });

  test("takes each recovery code once, tells of it, and none of before once there are new ones", async () => {
    const person = await secured();
    const [first = "", second = ""] = person.recoveryCodes;
    const use = async (recoveryCode: string): Promise<string | undefined> =>
      reason(complete((await challengeOf(person)).challenge, { recoveryCode }));
    const signedIn = await complete((await challengeOf(person)).challenge, {
      recoveryCode: first.toLowerCase().replaceAll("-", " "),
    });
    expect(decodeJwt(signedIn.accessToken).amr).toEqual(["pwd", "recovery", "mfa"]);
    expect(await use(first)).toBe("second_factor_invalid");
    expect(await eventsOf(person, "auth.recovery-code.used")).toEqual([{ userId: person.user.id, left: 9 }]);
    const fresh = await replaceRecoveryCodes(await callerOf(signedIn));
    expect(await use(second)).toBe("second_factor_invalid");
    expect(await use(fresh[0] ?? "")).toBeUndefined();
    expect(await listFactors(await callerOf(signedIn))).toMatchObject({ recoveryCodesLeft: 9 });
    const entries = await systemQuery(
      "test",
      "select action, fields, actor from audit.entry where tenant_id = $1 and action not like 'auth.organisation.%' order by seq",
      [person.organisation.id],
    );
    const actor = `user:${person.user.id}`;
    expect(entries).toEqual([
      { action: "auth.factor.added", fields: { factor: "totp", factorId: null }, actor },
      { action: "auth.recovery_code.used", fields: { left: 9 }, actor },
      { action: "auth.recovery_codes.created", fields: {}, actor },
      { action: "auth.recovery_code.used", fields: { left: 9 }, actor },
    ]);
    const mails = await systemQuery<{ kind: string }>(
      "test",
      "select payload->>'kind' as kind from events.outbox where type = 'auth:mail' and payload->>'accountId' = $1",
      [person.user.id],
    );
    expect(mails.map(({ kind }) => kind).sort()).toEqual([
      "factor-added",
      "recovery-code-used",
      "recovery-code-used",
      "recovery-codes-created",
      "verify-email",
    ]);
  });

  test("loses it with the last code of an app, and other sign-ins end whenever a factor comes or goes", async () => {
    const person = await register(newcomer(), t0);
    const [mine, phone] = [await callerOf(person), await signIn({ email: person.user.email, password }, t0, here)];
    const { uri } = await beginTotp(mine);
    const app = URI.parse(uri) as TOTP;
    await confirmTotp(mine, app.generate({ timestamp: t0.getTime() }), t0);
    expect(await reason(refreshSession(phone.refreshToken, t0, here))).toBe("refresh_token_invalid");
    expect(await reason(beginTotp(mine))).toBe("totp_in_use");
    const { challenge } = await challengeOf(person);
    const tablet = await complete(challenge, { code: app.generate({ timestamp: step(1).getTime() }) });
    await removeTotp(mine);
    expect(await reason(refreshSession(tablet.refreshToken, t0, here))).toBe("refresh_token_invalid");
    expect(await refreshSession(person.refreshToken, t0, here)).toBeDefined();
    expect(await listFactors(mine)).toEqual({ totpSince: null, passkeys: 0, recoveryCodesLeft: 0 });
    expect(await signIn({ email: person.user.email, password }, t0, here)).toBeDefined();
    expect(await reason(removeTotp(mine))).toBe("factor_not_found");
    expect(await reason(replaceRecoveryCodes(mine))).toBe("factor_not_found");
    expect(await eventsOf(person, "auth.factor.removed")).toHaveLength(1);
  });

  test("that changes hands loses the factors of whoever had it before", async () => {
    const person = await secured();
    await withSystem("test", (tx) => forgetCredentials(tx, person.user.id, "password_reset"));
    expect(await signIn({ email: person.user.email, password }, t0, here)).toBeDefined();
  });

  test("steps up by it, and not by the password", async () => {
    const person = await secured();
    const caller = await callerOf(person);
    expect(await reason(stepUp(caller, { password }, t0, here))).toBe("second_factor_required");
    expect(await reason(stepUp(caller, { password: "not the present one" }, t0, here))).toBe("invalid_credentials");
    expect(await reason(stepUp(caller, { code: "000000" }, step(2_000_000), here))).toBe("second_factor_invalid");
    expect(await reason(stepUp(caller, { code: person.codeAt(t0) }, t0, here))).toBe("second_factor_invalid");
    const { accessToken } = await stepUp(caller, { code: person.codeAt(step(1)) }, step(1), here);
    expect(decodeJwt(accessToken).amr).toEqual(["otp", "pwd"]);
  });

  test("begins, confirms and removes only in a session that is fresh", async () => {
    const person = await register(newcomer(), t0);
    const authData: AuthData = { ...(await readAccessToken(person.accessToken, t0)), authTime: "1" };
    const stale = { authData };
    for (const call of [
      auth.beginTotp(stale),
      auth.confirmTotp({ code: "000000" }, stale),
      auth.removeTotp(stale),
      auth.replaceRecoveryCodes(stale),
    ])
      expect(await reason(call)).toBe("step_up_required");
    expect(await auth.factors(stale)).toEqual({ passkeys: 0, recoveryCodesLeft: 0 });
  });
});
