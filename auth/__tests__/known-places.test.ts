// The attack: ten addresses try somebody's password five times each, all hour long, so that the account's fifty attempts are used up
// and its owner, who knows the password, is not even looked at. What they cannot use up is the quota of an address from which the
// owner signed in lately.
import { auth } from "~encore/clients";
import { URI, type TOTP } from "otpauth";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { UNKNOWN_ADDRESS } from "../../security/client-ip";
import { databaseClock } from "../../security/database-clock";
import { Limits, limits } from "../../security/limits";
import { callerFrom } from "../../security/principal";
import { changePassword } from "../account";
import { beginTotp, confirmTotp } from "../factors/enrolment";
import { completeSecondFactor } from "../factors/second-factor";
import { stepUp } from "../factors/step-up";
import { signInOperator } from "../operators/sign-in";
import { resetPassword } from "../password-reset";
import { register, type Registered } from "../registration";
import { signIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { as } from "./callers";
import { mailedToken, verifyAddressOf } from "./mails";
import { newcomer, password, reason } from "./people";
import { codeOf, later, makeOperator } from "./staff";

const home = "198.51.100.20";
const elsewhere = "198.51.100.21";
const now = new Date();
const wrong = "a wrong passphrase";
const fresh = "another fine passphrase";

// As many as an app has by default; those of tests are a thousand times as large.
beforeEach(() => {
  databaseClock.note(Date.now(), performance.now(), performance.now());
  const strict = new Limits({ scale: 1 });
  for (const method of ["consume", "forget", "assertFewFailures", "countFailure"] as const)
    vi.spyOn(limits, method).mockImplementation(strict[method].bind(strict));
});
afterEach(() => vi.restoreAllMocks());

const registerAt = (address: string): Promise<Registered> => register(newcomer(), now, null, address);
const signInAt = (address: string, email: string, given = password): Promise<string | undefined> =>
  reason(signIn({ email, password: given }, now, address));
const callerOf = async ({ accessToken }: Registered) => callerFrom(await readAccessToken(accessToken, now));

/** Ten networks try five times each; then nobody whom the account does not know is let try. */
async function besiege(trying: (address: string) => Promise<string | undefined>, refusal = "invalid_credentials") {
  for (let n = 0; n < 50; n++) expect(await trying(`2001:db8:${n % 10}:1::/64`)).toBe(refusal);
  expect(await trying("2001:db8:10:1::/64")).toBe("rate_limited");
}

describe("while strangers use up an account's attempts", () => {
  test("its owner signs in from where they registered or signed in before, and from nowhere else", async () => {
    const { email } = (await registerAt(home)).user;
    const office = "2001:db8:abcd:1::/64";
    expect(await signInAt(office, email)).toBeUndefined();
    await besiege((address) => signInAt(address, email, wrong));
    for (const known of [home, office, home]) expect(await signInAt(known, email)).toBeUndefined();
    expect(await signInAt(elsewhere, email)).toBe("rate_limited");
  });

  test("an operator signs in from where they did before", async () => {
    const staff = await makeOperator();
    const { email } = staff;
    const signInOperatorAt = (address: string, given = password) => {
      const at = later();
      return reason(signInOperator({ email, password: given, code: codeOf(staff.secret, at) }, at, address));
    };
    expect(await signInOperatorAt(home)).toBeUndefined();
    await besiege((address) => signInOperatorAt(address, wrong));
    expect(await signInOperatorAt(home)).toBeUndefined();
    expect(await signInOperatorAt(elsewhere)).toBe("rate_limited");
  });

  test("whoever is signed in changes their password and steps up, wherever they are", async () => {
    const ada = await registerAt(home);
    const caller = await callerOf(ada);
    await besiege((address) => signInAt(address, ada.user.email, wrong));
    expect(await reason(stepUp(caller, { password }, now, elsewhere))).toBeUndefined();
    expect(await reason(changePassword(caller, { current: password, password: fresh }, elsewhere))).toBeUndefined();
  });

  // Whose thief has the password, and guesses codes.
  test("its owner shows their second factor from where they signed in before", async () => {
    const ada = await registerAt(home);
    const caller = await callerOf(ada);
    const app = URI.parse((await beginTotp(caller)).uri) as TOTP;
    const recoveryCodes = await confirmTotp(caller, app.generate({ timestamp: now.getTime() }), now);
    const challengeAt = async (address: string): Promise<string> => {
      const refusal: unknown = await signIn({ email: ada.user.email, password }, now, address).catch(
        (error: unknown) => error,
      );
      return (refusal as { details: { challenge: string } }).details.challenge;
    };
    const proveAt = async (address: string, recoveryCode: string): Promise<string | undefined> =>
      reason(completeSecondFactor({ challenge: await challengeAt(address), recoveryCode }, now, address, null));
    await besiege((address) => proveAt(address, "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA"), "second_factor_invalid");
    expect(await proveAt(elsewhere, recoveryCodes?.[0] ?? "")).toBe("rate_limited");
    expect(await proveAt(home, recoveryCodes?.[0] ?? "")).toBeUndefined();
    // The password alone made none of theirs a place of the account's.
    expect(await placesOf(ada.user.email)).toHaveLength(1);
  });

  test("its owner comes back, from wherever they are, by the mail for another password", async () => {
    const { email } = (await registerAt(home)).user;
    await besiege((address) => signInAt(address, email, wrong));
    // Mistyped before: that is forgotten too.
    for (let n = 0; n < 5; n++) await signInAt(elsewhere, email, wrong);
    await auth.forgotPassword({ email });
    await resetPassword({ token: await mailedToken(email), password: fresh }, elsewhere);
    await besiege((address) => signInAt(address.replace("2001:db8", "2001:db9"), email, wrong));
    expect(await signInAt(elsewhere, email, fresh)).toBeUndefined();
  });
});

const placesOf = async (email: string): Promise<Buffer[]> => {
  const text = "select known_places as places from auth.account where email = $1";
  return (await systemQuery<{ places: Buffer[] }>("test", text, [email]))[0]?.places ?? [];
};

describe("a place that an account knows", () => {
  test("has five attempts, and what is tried there takes nothing of what all others have", async () => {
    const { email } = (await registerAt(home)).user;
    for (let n = 0; n < 5; n++) expect(await signInAt(home, email, wrong)).toBe("invalid_credentials");
    expect(await signInAt(home, email)).toBe("rate_limited");
    await besiege((address) => signInAt(address, email, wrong));
  });

  test("gives strangers no new attempts when its owner signs in", async () => {
    const { email } = (await registerAt(home)).user;
    await besiege((address) => signInAt(address, email, wrong));
    expect(await signInAt(home, email)).toBeUndefined();
    expect(await signInAt("2001:db8:11:1::/64", email, wrong)).toBe("rate_limited");
  });

  test("is one of the ten last", async () => {
    const { email } = (await registerAt(home)).user;
    for (let n = 0; n < 10; n++) expect(await signInAt(`192.0.2.${n}`, email)).toBeUndefined();
    expect(await signInAt("192.0.2.0", email)).toBeUndefined();
    expect(await placesOf(email)).toHaveLength(10);
    await besiege((address) => signInAt(address, email, wrong));
    for (let n = 0; n < 10; n++) expect(await signInAt(`192.0.2.${n}`, email)).toBeUndefined();
    expect(await signInAt(home, email)).toBe("rate_limited");
  });

  test("is that of no wrong password, and never the one of all whose address is not known", async () => {
    const { email } = (await register(newcomer(), now)).user;
    expect(await signInAt(home, email, wrong)).toBe("invalid_credentials");
    expect(await signInAt(UNKNOWN_ADDRESS, email)).toBeUndefined();
    expect(await placesOf(email)).toEqual([]);
    await besiege((address) => signInAt(address, email, wrong));
    expect(await signInAt(UNKNOWN_ADDRESS, email)).toBe("rate_limited");
  });

  test("is kept as a digest that differs by account", async () => {
    const [ada, bob] = [await registerAt(home), await registerAt(home)];
    const places = [...(await placesOf(ada.user.email)), ...(await placesOf(bob.user.email))];
    expect(places.map((place) => place.length)).toEqual([16, 16]);
    expect(new Set(places.map(String)).size).toBe(2);
  });

  test("is none any more when the account goes to who reads its mails: a stranger registered it", async () => {
    const { email } = (await registerAt(home)).user;
    await auth.forgotPassword({ email });
    await resetPassword({ token: await mailedToken(email), password: fresh }, elsewhere);
    await besiege((address) => signInAt(address, email, wrong));
    expect(await signInAt(home, email, fresh)).toBe("rate_limited");
    expect(await signInAt(elsewhere, email, fresh)).toBeUndefined();
  });

  test("is none any more behind another password by mail, nor when the account is taken back: somebody else was there", async () => {
    const { user } = await registerAt(home);
    await verifyAddressOf(user);
    await auth.forgotPassword({ email: user.email });
    await resetPassword({ token: await mailedToken(user.email), password: fresh }, elsewhere);
    const [place, ...others] = await placesOf(user.email);
    expect(others).toEqual([]);
    const caller = await as(await signIn({ email: user.email, password: fresh }, now, elsewhere));
    expect(await placesOf(user.email)).toEqual([place]);
    const { email } = newcomer();
    await auth.changeEmail({ email }, caller);
    await auth.confirmEmail({ token: await mailedToken(email) });
    await auth.revertEmail({ token: await mailedToken(user.email) });
    expect(await placesOf(user.email)).toEqual([]);
  });
});
