// This process's access tokens: the key ring with the app's settings, and the tokens it has verified already.
// Verifying a signature costs 0.2 ms, more than the rest of a request; the same token comes again and again.
import { hash } from "node:crypto";
import { secret } from "encore.dev/config";
import { cfg } from "../config";
import type { AuthData } from "../security/principal";
import { RecentMap } from "../security/recent-map";
import {
  signAccessToken,
  TOKEN_CHARS_MAX,
  verifyAccessToken,
  type TokenIdentity,
  type TokenSettings,
  type VerifiedToken,
} from "./access-token";
import { databaseClock } from "../security/database-clock";
import { KeyRing } from "./key-ring";
import { membershipSubject, revocations, type RevocableToken } from "./revocations";

const masterKey = secret("MasterKey");

const settings: TokenSettings = cfg.auth;

export const keyRing = new KeyRing(() => masterKey(), cfg.auth);

interface RememberedToken extends VerifiedToken, Omit<RevocableToken, "roleId" | "tenantId"> {
  tenantId: string | null;
  /** The epoch of the revocations in which it was last looked at. */
  lookedAtIn: number;
}

/** Of a session that ended, or a membership that changed, since the token was made. */
export class RevokedTokenError extends Error {
  override readonly name = "RevokedTokenError";
}

/** Verified tokens by digest; a token leaves when it expires, or when it was not used lately and others come. */
const verified = new RecentMap<RememberedToken>(10_000);

/**
 * Sessions that this process gave a token, or saw a good one of, lately, and how many of their tokens are being looked at. A
 * failure forgets its session: whoever knows the id of one has one look, not the hundreds of an address.
 */
const goodSessions = new RecentMap<{ looks: number }>(20_000);
/** A page's requests with its new token arrive together. */
const LOOKS_AT_ONCE = 16;

const noteGood = (sessionId: string): void => {
  if (goodSessions.get(sessionId) === undefined) goodSessions.set(sessionId, { looks: 0 });
};

/** Times of tokens are the database's, which all replicas read; `now` is this machine's. */
export async function issueAccessToken(
  identity: TokenIdentity,
  now: Date,
  about: Parameters<typeof signAccessToken>[4],
): Promise<string> {
  const key = await keyRing.signer();
  const token = await signAccessToken(identity, key, settings, databaseClock.at(now), about);
  noteGood(identity.sessionId);
  return token;
}

const digestOf = (token: string): string => hash("sha256", token, "base64url");

/**
 * The identity of a token that was verified before and has not expired: at once, or a promise of it when revocations
 * must be read first. The promise rejects with RevokedTokenError, or as Revocations.refresh. Any text may be asked for.
 */
export function knownIdentity(token: string, now: Date): AuthData | Promise<AuthData> | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined;
  const known = verified.get(digestOf(token));
  if (known === undefined || known.expiresAtMs <= databaseClock.at(now).getTime()) return undefined;
  const waiting = revocations.refresh();
  if (waiting === undefined && known.lookedAtIn === revocations.epoch) return known.identity;
  return (waiting ?? Promise.resolve()).then(() => unlessRevoked(known));
}

/** Looks only when something new is known since it last did. */
function unlessRevoked(token: RememberedToken): AuthData {
  if (token.lookedAtIn !== revocations.epoch) {
    if (revocations.isRevoked(token)) throw new RevokedTokenError("the token was revoked");
    token.lookedAtIn = revocations.epoch;
  }
  return token.identity;
}

/** The identity of a token, whose signature is looked at. Throws as verifyAccessToken does, and as knownIdentity's promise. */
export async function readAccessToken(token: string, now: Date): Promise<AuthData> {
  const digest = digestOf(token);
  verified.delete(digest);
  const fresh = await verifyAccessToken(token, (kid) => keyRing.find(kid), settings, databaseClock.at(now));
  const { userID, tenantId, sessionId } = fresh.identity;
  const membership = tenantId === undefined ? null : membershipSubject(userID, tenantId);
  const remembered = { ...fresh, sessionId, membership, tenantId: tenantId ?? null, lookedAtIn: -1 };
  verified.set(digest, remembered);
  await revocations.refresh();
  const identity = unlessRevoked(remembered);
  noteGood(sessionId);
  return identity;
}

/**
 * The same for a token that says it is of a session that was good lately; undefined for every other. Such a one may be looked
 * at though its address has failed too often: what a neighbour forges does not shut out who signs in or refreshes there.
 */
export function readOfGoodSession(token: string, now: Date): Promise<AuthData> | undefined {
  const sessionId = sessionIn(token);
  const session = goodSessions.get(sessionId);
  if (session === undefined || session.looks >= LOOKS_AT_ONCE) return undefined;
  session.looks++;
  return readAccessToken(token, now).then(
    (identity) => {
      session.looks--;
      return identity;
    },
    (refusal: unknown) => {
      session.looks--;
      goodSessions.delete(sessionId);
      throw refusal;
    },
  );
}

/** What a text claims, believed for nothing but this; empty when it claims none. */
function sessionIn(token: string): string {
  if (token.length > TOKEN_CHARS_MAX) return "";
  try {
    const { sid } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { sid?: unknown };
    return typeof sid === "string" ? sid : "";
  } catch {
    return "";
  }
}
