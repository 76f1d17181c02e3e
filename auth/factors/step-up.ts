// Showing again who one is, within a session: what an endpoint tagged `fresh` asks for (security/admission.ts). The answer
// is another access token; the refresh token stays as it is, so a lost answer costs nothing, and what refreshing answers
// afterwards says the same. Only the session that asks becomes fresh.
// Sources: NIST SP 800-63B-4 §5.2; RFC 9470 (step-up by another access token).
import { cfg } from "../../config";
import { withSystem } from "../../db/tenant";
import type { Caller } from "../../security/principal";
import { countOwnAttempt } from "../attempts";
import { errors } from "../errors";
import { checkPassword } from "../passwords";
import type { OidcClients } from "../oidc/providers";
import { accessTokenOf } from "../sessions";
import { accountFind, accountFindForUpdate, accountLock, type OwnAccountRow } from "../store/accounts";
import { challengeConsume, factorsFindIn } from "../store/factors";
import { passkeyList } from "../store/passkeys";
import { createChallenge, readChallenge, type Challenge } from "./challenge";
import { setFresh, type Shown } from "./fresh";
import { BY_PASSWORD } from "./methods";
import { checkProof, type Proof } from "./proof";
import { methodsOf } from "./requirement";
import { assertOneProof } from "./second-factor";
import { byMailedCode, byProvider } from "./step-up-elsewhere";
import { authenticationOptions } from "./webauthn";

export interface SteppedUp {
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
}

export interface StepUpInput extends Proof {
  password?: string | undefined;
  /** What a passkey signed: that of stepUpOptions. */
  challenge?: string | undefined;
  /** Where the provider sent the browser back to: that of beginStepUp, in the same browser. */
  url?: string | undefined;
  browser?: string | undefined;
  /** Of mailCode. */
  mailedCode?: string | undefined;
}

/**
 * By the password, or, where the account has a second factor, by that: what is fresh was shown with the strongest. Where it has
 * neither, by its provider or a mailed code (step-up-elsewhere.ts).
 * @throws APIError invalid_credentials, second_factor_required, second_factor_invalid, rate_limited; invalid_token when
 * the caller's session is over.
 */
export async function stepUp(
  caller: Caller,
  input: StepUpInput,
  now: Date,
  address: string,
  clients?: OidcClients,
): Promise<SteppedUp> {
  assertOneProof(input);
  const account = await accountFind(caller.subjectId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  const shown = await show(caller, account, input, { now, address, clients });
  return { accessToken: await accessTokenOf(shown, now), expiresIn: cfg.auth.accessTokenSeconds };
}

interface Asking {
  now: Date;
  address: string;
  clients: OidcClients | undefined;
}

function show(
  caller: Caller,
  account: OwnAccountRow,
  { password, url, browser, mailedCode, ...proof }: StepUpInput,
  { now, address, clients }: Asking,
): Promise<Shown> {
  if (password !== undefined) return byPassword(caller, account, password, address);
  if (url !== undefined) return byProvider(caller, { url, browser }, now, clients);
  if (mailedCode !== undefined) return byMailedCode(caller, mailedCode, address);
  return byFactor(caller, account.email, proof, now, address);
}

async function byPassword(
  caller: Caller,
  { email, passwordHash }: OwnAccountRow,
  password: string,
  address: string,
): Promise<Shown> {
  const attempt = await countOwnAttempt("password", caller.subjectId, address);
  if (!(await checkPassword(password, passwordHash))) throw errors.invalid_credentials();
  await attempt.forget();
  return withSystem("step-up", async (tx) => {
    const { passwordHash: present } = (await accountFindForUpdate(tx, caller.subjectId)) ?? {};
    if (present !== passwordHash) throw errors.invalid_credentials({ internal: "changed at the same time" });
    const methods = methodsOf(await factorsFindIn(tx, caller.subjectId));
    if (methods.length > 0) throw errors.second_factor_required({ facts: { methods } });
    return setFresh(tx, caller, email, BY_PASSWORD);
  });
}

/** What the caller's passkeys are asked to sign, in this session. @throws APIError passkeys_not_configured. */
export async function stepUpOptions(
  { subjectId: accountId, sessionId }: Caller,
  now: Date,
): Promise<{ challenge: string; options: Awaited<ReturnType<typeof authenticationOptions>> }> {
  const challenge = createChallenge("passkey-step-up", { accountId, sessionId }, now);
  return { challenge, options: await authenticationOptions(challenge, await passkeyList(accountId)) };
}

async function byFactor(
  caller: Caller,
  email: string,
  proof: Proof & { challenge?: string | undefined },
  now: Date,
  address: string,
): Promise<Shown> {
  const { subjectId: accountId, tenantId } = caller;
  const challenge = proof.passkey && requireChallenge(caller, proof.challenge, now);
  const attempt = await countOwnAttempt("factor", accountId, address);
  const shown = await withSystem("step-up", async (tx) => {
    await accountLock(tx, accountId);
    const amr = await checkProof(tx, { accountId, tenantId }, proof, now);
    if (amr === undefined) return undefined;
    if (challenge !== undefined && !(await challengeConsume(tx, challenge)))
      throw errors.challenge_invalid({ internal: "used" });
    return setFresh(tx, caller, email, amr);
  });
  if (shown === undefined) throw errors.second_factor_invalid();
  await attempt.forget();
  return shown;
}

function requireChallenge({ subjectId, sessionId }: Caller, text: string | undefined, now: Date): Challenge {
  const challenge = readChallenge("passkey-step-up", text ?? "", now);
  if (challenge?.accountId !== subjectId || challenge.sessionId !== sessionId) throw errors.challenge_invalid();
  return challenge;
}
