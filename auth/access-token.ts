// Access tokens: JSON Web Tokens (RFC 9068 profile) signed with EdDSA, short-lived, checked without asking the
// database. What they say is true when they are made; ending a session takes effect when they expire.
import { jwtVerify, SignJWT, type CryptoKey, type JWTVerifyGetKey } from "jose";
import type { AuthData } from "../security/principal";
import { isRole } from "../security/permissions";
import { isUuid, newId } from "../db/ids";

const TYPE = "at+jwt";
const ALGORITHM = "EdDSA";

export interface TokenSettings {
  issuer: string;
  audience: string;
  accessTokenSeconds: number;
}

export interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
}

/** A token for this identity, valid from `now` for `settings.accessTokenSeconds`. */
export function signAccessToken(
  identity: AuthData,
  key: SigningKey,
  settings: TokenSettings,
  now: Date,
): Promise<string> {
  const issuedAt = Math.floor(now.getTime() / 1000);
  return new SignJWT({ tenant: identity.tenantId, role: identity.role, sid: identity.sessionId })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: key.kid })
    .setIssuer(settings.issuer)
    .setAudience(settings.audience)
    .setSubject(identity.userID)
    .setJti(newId())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + settings.accessTokenSeconds)
    .sign(key.privateKey);
}

export interface VerifiedToken {
  identity: Readonly<AuthData>;
  /** Milliseconds since the epoch. */
  expiresAtMs: number;
}

/**
 * The identity a token speaks for. The algorithm, type, issuer, audience and lifetime are pinned, not read
 * from the token (RFC 8725 §3.1, §3.11).
 * Throws a JOSEError, or TypeError when a claim is not of the shape signAccessToken gives it.
 */
export async function verifyAccessToken(
  token: string,
  findKey: JWTVerifyGetKey,
  settings: TokenSettings,
  now: Date,
): Promise<VerifiedToken> {
  const { payload } = await jwtVerify(token, findKey, {
    algorithms: [ALGORITHM],
    typ: TYPE,
    issuer: settings.issuer,
    audience: settings.audience,
    requiredClaims: ["exp", "iat", "sub", "tenant", "role", "sid"],
    currentDate: now,
  });
  const { sub, tenant, role, sid, exp } = payload;
  if (!isId(sub) || !isId(tenant) || !isId(sid) || typeof role !== "string" || !isRole(role) || exp === undefined) {
    throw new TypeError("the token's claims do not name an identity");
  }
  return { identity: { userID: sub, tenantId: tenant, role, sessionId: sid }, expiresAtMs: exp * 1000 };
}

function isId(claim: unknown): claim is string {
  return typeof claim === "string" && isUuid(claim);
}
