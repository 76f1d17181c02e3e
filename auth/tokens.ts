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

const digestOf = (token: string): string => hash("sha256", token, "base64url");

/** Longer than any token of ours: what is longer is not known. */
const KNOWN_CHARS_MAX = 4_096;

/** The identity of a token that was verified before and is still valid. Any text may be asked for. */
export function knownIdentity(token: string, now: Date): AuthData | undefined {
  if (token.length > KNOWN_CHARS_MAX) return undefined;
  const known = verified.get(digestOf(token));
  return known !== undefined && known.expiresAtMs > now.getTime() ? known.identity : undefined;
}

/** The identity of a token, whose signature is looked at. Throws as verifyAccessToken does. */
export async function readAccessToken(token: string, now: Date): Promise<AuthData> {
  const digest = digestOf(token);
  verified.delete(digest);
  const fresh = await verifyAccessToken(token, async ({ kid }) => requireKey(kid, now), settings, now);
  verified.set(digest, fresh);
  return fresh.identity;
}

async function requireKey(kid: string | undefined, now: Date): Promise<CryptoKey> {
  const key = kid === undefined ? undefined : await keyRing.find(kid, now);
  if (key === undefined) throw new TypeError("the token names no key of ours");
  return key;
}
