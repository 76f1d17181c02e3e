// This process's access tokens: the key ring with the app's settings, and the tokens it has verified already.
// Verifying a signature costs 0.2 ms, more than the rest of a request; the same token comes again and again.
import { hash } from "node:crypto";
import type { CryptoKey } from "jose";
import { secret } from "encore.dev/config";
import { cfg } from "../config";
import type { AuthData } from "../security/principal";
import { RecentMap } from "../security/recent-map";
import { signAccessToken, verifyAccessToken, type TokenSettings, type VerifiedToken } from "./access-token";
import { KeyRing } from "./key-ring";

const masterKey = secret("MasterKey");

const settings: TokenSettings = cfg.auth;

export const keyRing = new KeyRing(() => masterKey(), settings.accessTokenSeconds);

/** Verified tokens by digest; a token leaves when it expires, or when it was not used lately and others come. */
const verified = new RecentMap<VerifiedToken>(10_000);

export async function issueAccessToken(identity: AuthData, now: Date): Promise<string> {
  return signAccessToken(identity, await keyRing.signer(now), settings, now);
}

/**
 * The identity of a valid token: at once when the token is known. `beforeVerifying` may refuse, by throwing, to look at
 * one that is not. Throws as verifyAccessToken does.
 */
export function readAccessToken(token: string, now: Date, beforeVerifying?: () => void): AuthData | Promise<AuthData> {
  const digest = hash("sha256", token, "base64url");
  const known = verified.get(digest);
  if (known !== undefined && known.expiresAtMs > now.getTime()) return known.identity;
  verified.delete(digest);
  beforeVerifying?.();
  return verify(token, digest, now);
}

async function verify(token: string, digest: string, now: Date): Promise<AuthData> {
  const fresh = await verifyAccessToken(token, async ({ kid }) => requireKey(kid, now), settings, now);
  verified.set(digest, fresh);
  return fresh.identity;
}

async function requireKey(kid: string | undefined, now: Date): Promise<CryptoKey> {
  const key = kid === undefined ? undefined : await keyRing.find(kid, now);
  if (key === undefined) throw new TypeError("the token names no key of ours");
  return key;
}
