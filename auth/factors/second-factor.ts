// The second step of signing in: challenge and proof against tokens. Guesses are limited before any work, by address and
// by account, with counters that a right password does not reset: whoever knows it must not thereby guess codes for ever
// (gogs #5700). Of many completions of one challenge one yields a session.
import { withSystem } from "../../db/tenant";
import { commonErrors } from "../../security/common-errors";
import { limits } from "../../security/limits";
import { countAttemptHere } from "../attempts";
import { errors } from "../errors";
import { isKnownPlace, placeOf } from "../known-places";
import { completeNewSignIn, openSession, type OpenedSession, type SignedIn } from "../sessions";
import { accountFind, accountFindForUpdate, accountNotePlace } from "../store/accounts";
import { challengeConsume } from "../store/factors";
import { identityIsOf } from "../store/identities";
import { membershipFind } from "../store/memberships";
import { passkeyList } from "../store/passkeys";
import { credentialTagOf, readChallenge, type Challenge } from "./challenge";
import { TWICE } from "./methods";
import { checkProof, type Proof } from "./proof";
import { authenticationOptions } from "./webauthn";

/** Attempts at an account's second factor are counted apart from those at its password. */
const attemptKey = (accountId: string): string => `second-factor:${accountId}`;

/** @throws APIError invalid_request */
export function assertOneProof(
  proof: Proof & { [Way in "password" | "url" | "mailedCode"]?: string | undefined },
): void {
  const { password, code, recoveryCode, passkey, url, mailedCode } = proof;
  const given = [password, code, recoveryCode, passkey, url, mailedCode].filter((shown) => shown !== undefined);
  if (given.length !== 1)
    throw commonErrors.invalid_request({
      fields: { proof: "give exactly one of code, recoveryCode, passkey, password, url and mailedCode" },
    });
}

type RequestOptions = Awaited<ReturnType<typeof authenticationOptions>>;

/** What the account's passkeys are asked to sign for the challenge of a sign-in. @throws APIError challenge_invalid. */
export async function secondFactorOptions(text: string, now: Date, address: string): Promise<RequestOptions> {
  limits.assertFewFailures("signIn", address);
  const challenge = readChallenge("second-factor", text, now);
  if (challenge?.accountId === undefined) {
    limits.countFailure("signIn", address);
    throw errors.challenge_invalid();
  }
  return authenticationOptions(text, await passkeyList(challenge.accountId));
}

/**
 * @throws APIError challenge_invalid (unknown, too old, used, or what was shown first has changed since), second_factor_invalid;
 * rate_limited after too many attempts at the account or failures of the address.
 */
export async function completeSecondFactor(
  { challenge: text, ...proof }: Proof & { challenge: string },
  now: Date,
  address: string,
  device: string | null,
): Promise<SignedIn> {
  limits.assertFewFailures("signIn", address);
  assertOneProof(proof);
  const challenge = readChallenge("second-factor", text, now);
  if (challenge?.accountId === undefined || challenge.first === undefined) {
    limits.countFailure("signIn", address);
    throw errors.challenge_invalid();
  }
  const { accountId: id, first } = challenge;
  const attempt = await countAttemptHere(attemptKey(id), address);
  const account = await accountFind(id);
  if (!isKnownPlace(account && { ...account, id }, address)) await attempt.countForAll();
  const prover = { ...challenge, accountId: id, first };
  const opened = await complete(prover, { ...proof, challenge: text }, now, { device, address });
  if (opened === undefined) {
    limits.countFailure("signIn", address);
    throw errors.second_factor_invalid();
  }
  await attempt.forget();
  return completeNewSignIn(opened, now);
}

/** Undefined when the proof is wrong, which is committed. */
function complete(
  challenge: Challenge & { accountId: string; first: string[] },
  proof: Proof & { challenge: string },
  now: Date,
  { device, address }: { device: string | null; address: string },
): Promise<OpenedSession | undefined> {
  return withSystem("second-factor", async (tx) => {
    const account = await accountFindForUpdate(tx, challenge.accountId);
    if (account === undefined || credentialTagOf(account.passwordHash) !== challenge.credentialTag)
      throw errors.challenge_invalid({ internal: "the password changed" });
    const { id: accountId, email } = account;
    const { vouch, identityId } = challenge;
    if (identityId !== undefined && !(await identityIsOf(tx, { id: identityId, accountId })))
      throw errors.challenge_invalid({ internal: "unlinked" });
    const chosen = vouch && (await membershipFind(tx, { tenantId: vouch.tenantId, accountId }));
    const organisation = chosen || account.organisation;
    const shown = await checkProof(tx, { accountId, tenantId: organisation?.id ?? null }, proof, now);
    if (shown === undefined) return undefined;
    if (!(await challengeConsume(tx, challenge))) throw errors.challenge_invalid({ internal: "used" });
    const place = placeOf(accountId, address);
    if (place !== undefined) accountNotePlace(tx, accountId, place);
    return openSession(tx, { accountId, email, organisation, vouch }, device, [...challenge.first, ...shown, ...TWICE]);
  });
}
