// Signing in with a passkey alone: the person chooses one of this site, and its device makes sure of who they are. So it is
// two factors in one (NIST SP 800-63B-4 §3.1.7), and nothing else is asked for. Nobody says an e-mail, so nothing tells
// which addresses are registered.
import { withSystem } from "../../db/tenant";
import { limits } from "../../security/limits";
import { errors } from "../errors";
import { completeNewSignIn, openSession, type SignedIn } from "../sessions";
import { accountFindForUpdate } from "../store/accounts";
import { challengeConsume } from "../store/factors";
import { passkeyFindAccount } from "../store/passkeys";
import { createChallenge, readChallenge } from "./challenge";
import { BY_PASSKEY, TWICE } from "./methods";
import { checkPasskey } from "./proof";
import { authenticationOptions, type PasskeyAssertion } from "./webauthn";

type RequestOptions = Awaited<ReturnType<typeof authenticationOptions>>;

/** @throws APIError passkeys_not_configured. */
export async function beginPasskeySignIn(now: Date): Promise<{ challenge: string; options: RequestOptions }> {
  const challenge = createChallenge("passkey-sign-in", {}, now);
  return { challenge, options: await authenticationOptions(challenge, undefined) };
}

/** @throws APIError challenge_invalid, passkey_invalid; rate_limited after too many failures of the address. */
export async function signInWithPasskey(
  { challenge: text, passkey }: { challenge: string; passkey: PasskeyAssertion },
  now: Date,
  address: string,
  device: string | null,
): Promise<SignedIn> {
  limits.assertFewFailures("signIn", address);
  const challenge = readChallenge("passkey-sign-in", text, now);
  const accountId = challenge && (await passkeyFindAccount(Buffer.from(passkey.id, "base64url")));
  if (challenge === undefined || accountId === undefined) {
    limits.countFailure("signIn", address);
    throw challenge === undefined ? errors.challenge_invalid() : errors.passkey_invalid();
  }
  const opened = await withSystem("passkey-sign-in", async (tx) => {
    const account = await accountFindForUpdate(tx, accountId);
    const asserted = account && (await checkPasskey(tx, accountId, text, passkey));
    if (account === undefined || asserted?.isUserVerified !== true) return undefined;
    if (!(await challengeConsume(tx, challenge))) throw errors.challenge_invalid({ internal: "used" });
    const { email, organisation } = account;
    return openSession(tx, { accountId, email, organisation }, device, [...BY_PASSKEY, ...TWICE]);
  });
  if (opened === undefined) {
    limits.countFailure("signIn", address);
    throw errors.passkey_invalid();
  }
  return completeNewSignIn(opened, now);
}
