// Whether an account asks for a second factor, and how a sign-in says so. Apart from what completes it, which opens
// sessions: signing in depends on this and is depended upon by that.
import { errors } from "../errors";
import { factorsFind, type FactorsRow } from "../store/factors";
import { createChallenge, credentialTagOf, type Challenge } from "./challenge";

/** What can be shown; names of the API. */
export type Method = "totp" | "passkey" | "recovery-code";

/** Empty for an account that needs no second factor. */
export function methodsOf({ totpSince, passkeys, recoveryCodesLeft }: FactorsRow): Method[] {
  const factors: Method[] = totpSince === null ? [] : ["totp"];
  if (passkeys > 0) factors.push("passkey");
  if (factors.length > 0 && recoveryCodesLeft > 0) factors.push("recovery-code");
  return factors;
}

/**
 * After the first factor, whose names (`amr`) the session will have, and before a session.
 * @throws APIError second_factor_required with a challenge and the methods, for an account that has a second factor.
 */
export async function requireSecondFactor(
  account: { id: string; passwordHash: string | null },
  first: readonly string[],
  now: Date,
  elsewhere: Pick<Challenge, "vouch" | "identityId"> = {},
): Promise<void> {
  const methods = methodsOf(await factorsFind(account.id));
  if (methods.length === 0) return;
  const credentialTag = credentialTagOf(account.passwordHash);
  const about = { accountId: account.id, first: [...first], credentialTag, ...elsewhere };
  throw errors.second_factor_required({ facts: { challenge: createChallenge("second-factor", about, now), methods } });
}
