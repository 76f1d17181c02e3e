// What changes an account is in a log also where no organisation is chosen: in the installation's. The attack: whoever took an
// account over leaves its organisations, or never enters one, and changes what lets people in without a trace.
import { auth } from "~encore/clients";
import { URI, type TOTP } from "otpauth";
import { expect, test } from "vitest";
import { platformLog } from "../../audit/platform";
import { entryList } from "../../audit/store";
import { signIn, type SignedIn } from "../sessions";
import { Authenticator } from "./authenticator";
import { as } from "./callers";
import { mailedToken } from "./mails";
import { here, newcomer, password } from "./people";

const signInAs = (email: string, word = password): Promise<SignedIn> =>
  signIn({ email, password: word }, new Date(), here);

/** Somebody who is in no organisation any more, and what their account did in the installation's log. */
async function alone() {
  const person = newcomer();
  const { user, organisation, accessToken } = await auth.register(person);
  await auth.deleteOrganisation({ id: organisation?.id ?? "" }, await as({ accessToken }));
  const recorded = async (): Promise<{ action: string; actor: string }[]> =>
    (await entryList(platformLog, undefined, 100, undefined)).rows
      .filter(({ targetType, targetId }) => targetType === "account" && targetId === user.id)
      .map(({ action, actor }) => ({ action, actor }))
      .toReversed();
  return { ...person, id: user.id, recorded };
}
const by = (id: string, ...actions: string[]): object[] => actions.map((action) => ({ action, actor: `user:${id}` }));

test("factors, sign-ins and the password, changed in a session without an organisation", async () => {
  const { email, id, recorded } = await alone();
  const signedIn = await signInAs(email);
  expect(signedIn.organisation).toBeNull();
  const ada = await as(signedIn);
  const other = await signInAs(email);
  const signInId = (await auth.listSessions(await as(other))).sessions.find(({ current }) => current)?.id ?? "";
  await auth.endSession({ id: signInId }, ada);
  await signInAs(email);
  await auth.endOtherSessions(ada);
  const app = URI.parse((await auth.beginTotp(ada)).uri) as TOTP;
  const { recoveryCodes = [] } = await auth.confirmTotp(
    { code: app.generate({ timestamp: Date.now() - 30_000 }) },
    ada,
  );
  await auth.stepUp({ recoveryCode: recoveryCodes[0] ?? "" }, ada);
  await auth.replaceRecoveryCodes(ada);
  await auth.removeTotp(ada);
  const { challenge, options } = await auth.beginPasskey(ada);
  const attestation = new Authenticator().create(options);
  const passkey = await auth.addPasskey({ challenge, name: "Telephone", attestation }, ada);
  await auth.removePasskey({ id: passkey.id }, ada);
  await auth.changePassword({ current: password, password: `another ${password}` }, ada);
  const [ended, factors] = [["auth.session.ended", "auth.session.ended_elsewhere"], ["auth.factor.added"]];
  const codes = ["auth.recovery_code.used", "auth.recovery_codes.created", "auth.factor.removed"];
  const passkeys = ["auth.factor.added", "auth.factor.removed", "auth.password.changed"];
  expect(await recorded()).toEqual(by(id, ...ended, ...factors, ...codes, ...passkeys));
});

test("the address, the password and the account's end, changed by mailed links", async () => {
  const { email, id, recorded } = await alone();
  const moved = newcomer().email;
  await auth.verifyEmail({ token: await mailedToken(email) });
  await auth.changeEmail({ email: moved }, await as(await signInAs(email)));
  await auth.confirmEmail({ token: await mailedToken(moved) });
  await auth.revertEmail({ token: await mailedToken(email) });
  await mailedToken(email);
  await auth.forgotPassword({ email });
  await auth.resetPassword({ token: await mailedToken(email), password });
  await auth.deleteAccount(await as(await signInAs(email)));
  await auth.restoreAccount({ token: await mailedToken(email) });
  const addresses = ["auth.email.verified", "auth.email.changed", "auth.email.reverted", "auth.password.reset"];
  expect(await recorded()).toEqual(by(id, ...addresses, "auth.account.deletion_scheduled", "auth.account.restored"));
});
