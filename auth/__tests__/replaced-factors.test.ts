// Taking an address back where second factors were replaced lately: who reads the old mailbox alone gets no further than before, and
// nothing that was added since signs in by itself.
import { auth } from "~encore/clients";
import { URI, type TOTP } from "otpauth";
import { expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { callerFrom, type Caller } from "../../security/principal";
import { PREPARED_DAYS } from "../email-change";
import { beginTotp, confirmTotp, listFactors, removeTotp } from "../factors/enrolment";
import { beginPasskeySignIn, signInWithPasskey } from "../factors/passkey-sign-in";
import { addPasskey, beginPasskey, removePasskey } from "../factors/passkeys";
import { completeSecondFactor, secondFactorOptions } from "../factors/second-factor";
import { stepUp } from "../factors/step-up";
import { register, type Registered } from "../registration";
import { signIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { Authenticator } from "./authenticator";
import { as } from "./callers";
import { mailedToken, mailsTo, verifyAddressOf } from "./mails";
import { here, newcomer, reason } from "./people";

const other = "another fine passphrase";
/** Each code is good once: steps of thirty seconds from now. */
const step = (n: number): Date => new Date(Date.now() + n * 30_000);

interface Person extends Registered {
  caller: Caller;
}

async function person(): Promise<Person> {
  const ada = await register(newcomer(), new Date());
  await verifyAddressOf(ada.user);
  return { ...ada, caller: callerFrom(await readAccessToken(ada.accessToken, new Date())) };
}

async function addApp(caller: Caller): Promise<{ app: TOTP; codes: string[] | undefined }> {
  const app = URI.parse((await beginTotp(caller)).uri) as TOTP;
  const now = new Date();
  return { app, codes: await confirmTotp(caller, app.generate({ timestamp: now.getTime() }), now) };
}

/** As if the app was in use for long. */
async function age({ user }: Registered): Promise<void> {
  const sql = "update auth.totp set confirmed_at = now() - make_interval(days => $2) where account_id = $1";
  await systemQuery("test", sql, [user.id, PREPARED_DAYS + 30]);
}

const show = async (caller: Caller, app: TOTP): Promise<unknown> => {
  const now = step(1);
  return stepUp(caller, { code: app.generate({ timestamp: now.getTime() }) }, now, here);
};

async function addDevice(caller: Caller): Promise<{ id: string; device: Authenticator }> {
  const device = new Authenticator({});
  const { challenge, options } = await beginPasskey(caller, new Date());
  const attestation = device.create(options);
  return { device, ...(await addPasskey(caller, { challenge, name: "Telephone", attestation }, new Date())) };
}

interface TakenBack {
  removed: Awaited<ReturnType<typeof auth.revertEmail>>["removed"];
  /** What the address that lost was told. */
  told: string;
}

/** The address changes, and who reads the old mailbox takes it back and sets a password. */
async function takeBack(ada: Registered): Promise<TakenBack> {
  const { email } = newcomer();
  await auth.changeEmail({ email }, await as(ada));
  await auth.confirmEmail({ token: await mailedToken(email) });
  const { removed } = await auth.revertEmail({ token: await mailedToken(ada.user.email) });
  await auth.forgotPassword({ email: ada.user.email });
  await auth.resetPassword({ token: await mailedToken(ada.user.email), password: other });
  const [mail] = await mailsTo(email);
  expect(mail?.subject).toBe("Your account has its address of before again");
  return { removed, told: mail?.text ?? "" };
}

const enters = (ada: Registered): Promise<string | undefined> =>
  reason(signIn({ email: ada.user.email, password: other }, new Date(), here));

async function challengeOf(ada: Registered): Promise<string> {
  const refusal: unknown = await signIn({ email: ada.user.email, password: other }, new Date(), here).catch(
    (error: unknown) => error,
  );
  return (refusal as { details: { challenge: string } }).details.challenge;
}

test("an app that took an older one's place stays, with its recovery codes", async () => {
  const ada = await person();
  const old = await addApp(ada.caller);
  await age(ada);
  await show(ada.caller, old.app);
  await removeTotp(ada.caller);
  const { app, codes = [] } = await addApp(ada.caller);
  const { removed, told } = await takeBack(ada);
  expect(removed).toMatchObject({ totp: false, recoveryCodes: 0 });
  expect(told).toContain("Removed besides: nothing.");
  expect(await enters(ada)).toBe("second_factor_required");
  const now = step(1);
  const code = app.generate({ timestamp: now.getTime() });
  await completeSecondFactor({ challenge: await challengeOf(ada), code }, now, here, null);
  expect((await listFactors(ada.caller)).recoveryCodesLeft).toBe(codes.length);
});

test("an app that nobody showed a factor for goes, though the account had one before: a thief adds one by the password", async () => {
  const ada = await person();
  await addApp(ada.caller);
  await age(ada);
  await removeTotp(ada.caller);
  await addApp(ada.caller);
  const { removed, told } = await takeBack(ada);
  expect(removed).toMatchObject({ totp: true, recoveryCodes: 10 });
  expect(told).toContain("Removed besides: the codes of an app, recovery codes (10).");
  expect(await enters(ada)).toBeUndefined();
});

test("an app that is as new as its account's asking for one goes", async () => {
  const ada = await person();
  const { app } = await addApp(ada.caller);
  await show(ada.caller, app);
  await removeTotp(ada.caller);
  await addApp(ada.caller);
  expect((await takeBack(ada)).removed.totp).toBe(true);
  expect(await enters(ada)).toBeUndefined();
});

test("beside an older factor what was added since goes", async () => {
  const ada = await person();
  await addApp(ada.caller);
  await age(ada);
  await removePasskey(ada.caller, (await addDevice(ada.caller)).id);
  const { id } = await addDevice(ada.caller);
  const { removed } = await takeBack(ada);
  expect(removed).toMatchObject({ totp: false, recoveryCodes: 10, passkeys: [{ id, name: "Telephone" }] });
  expect(await enters(ada)).toBe("second_factor_required");
});

test("of passkeys that took an app's place the newest stays, and signs in behind the password alone", async () => {
  const ada = await person();
  const { app } = await addApp(ada.caller);
  await age(ada);
  await show(ada.caller, app);
  const first = await addDevice(ada.caller);
  await removeTotp(ada.caller);
  const { device } = await addDevice(ada.caller);
  const { removed } = await takeBack(ada);
  expect(removed).toMatchObject({ totp: false, passkeys: [{ id: first.id }] });
  expect(await enters(ada)).toBe("second_factor_required");
  const alone = await beginPasskeySignIn(new Date());
  const asserted = { challenge: alone.challenge, passkey: device.get(alone.options) };
  expect(await reason(signInWithPasskey(asserted, new Date(), here, null))).toBe("passkey_invalid");
  const challenge = await challengeOf(ada);
  const passkey = device.get(await secondFactorOptions(challenge, new Date(), here));
  expect(await completeSecondFactor({ challenge, passkey }, new Date(), here, null)).toBeDefined();
});
