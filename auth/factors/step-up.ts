// Showing again who one is, within a session: what an endpoint tagged `fresh` asks for (security/admission.ts). The answer
// is another access token; the refresh token stays as it is, so a lost answer costs nothing, and what refreshing answers
// afterwards says the same. Only the session that asks becomes fresh.
// Sources: NIST SP 800-63B-4 §5.2; RFC 9470 (step-up by another access token).
import { cfg } from "../../config";
import { withSystem, type Tx } from "../../db/tenant";
import type { Caller } from "../../security/principal";
import { countAttempt } from "../attempts";
import { errors } from "../errors";
import { checkPassword } from "../passwords";
import { accessTokenOf, type Member } from "../sessions";
import { accountFind, accountFindForUpdate, accountLock, type OwnAccountRow } from "../store/accounts";
import { challengeConsume, factorsFindIn } from "../store/factors";
import { membershipFind } from "../store/memberships";
import { passkeyList } from "../store/passkeys";
import { sessionSetAuthenticated } from "../store/sessions";
import { createChallenge, readChallenge, type Challenge } from "./challenge";
import { BY_PASSWORD } from "./methods";
import { checkProof, type Proof } from "./proof";
import { methodsOf } from "./requirement";
import { assertOneProof, attemptKey } from "./second-factor";
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
}

type Shown = Parameters<typeof accessTokenOf>[0];

/**
 * By the password, or, where the account has a second factor, by that: what is fresh was shown with the strongest.
 * @throws APIError invalid_credentials, second_factor_required, second_factor_invalid, rate_limited; invalid_token when
 * the caller's session is over.
 */
export async function stepUp(caller: Caller, input: StepUpInput, now: Date, address: string): Promise<SteppedUp> {
  assertOneProof(input);
  const account = await accountFind(caller.subjectId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  const { password } = input;
  const shown =
    password === undefined
      ? await byFactor(caller, account.email, input, now, address)
      : await byPassword(caller, account, password, address);
  return { accessToken: await accessTokenOf(shown, now), expiresIn: cfg.auth.accessTokenSeconds };
}

async function byPassword(
  caller: Caller,
  { email, passwordHash }: OwnAccountRow,
  password: string,
  address: string,
): Promise<Shown> {
  const attempt = await countAttempt(email, address);
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
  proof: Omit<StepUpInput, "password">,
  now: Date,
  address: string,
): Promise<Shown> {
  const { subjectId: accountId, tenantId } = caller;
  const challenge = proof.passkey && requireChallenge(caller, proof.challenge, now);
  const attempt = await countAttempt(attemptKey(accountId), address);
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

async function setFresh(tx: Tx, caller: Caller, email: string, amr: readonly string[]): Promise<Shown> {
  const { subjectId: accountId, sessionId, tenantId } = caller;
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const { idleSeconds } = cfg.auth;
  const session = await sessionSetAuthenticated(tx, { id: sessionId, accountId, amr, idleSeconds });
  if (session === undefined) throw errors.invalid_token({ internal: "the session is over" });
  const organisation = tenantId === null ? undefined : await membershipFind(tx, { tenantId, accountId });
  const member: Member = { accountId, email, organisation: organisation ?? null };
  return { member, sessionId, authentication: { amr: session.amr, at: session.authenticatedAt } };
}
