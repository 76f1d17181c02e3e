// Access tokens: JSON Web Tokens (RFC 9068 profile) signed with EdDSA, short-lived, checked without asking the
// database. What they say is true when they are made; what has changed since is in revocations.ts.
import { jwtVerify, SignJWT, type CryptoKey, type JWTPayload, type JWTVerifyGetKey } from "jose";
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

/** Whom a token speaks for: a person, in an organisation or in none. */
export interface TokenIdentity extends AuthData {
  sessionId: string;
}

/** How and when a person showed who they are; `amr` has names of RFC 8176 and two of ours (factors/methods.ts). */
export interface Authentication {
  amr: readonly string[];
  at: Date;
}

/**
 * A token for this identity, with the revision of its membership and how the person was authenticated (claims `amr` and
 * `auth_time` of RFC 9068 §2.2.1), valid from `now` for `settings.accessTokenSeconds`.
 */
export function signAccessToken(
  identity: TokenIdentity,
  key: SigningKey,
  settings: TokenSettings,
  now: Date,
  { revision, authentication }: { revision?: number | undefined; authentication?: Authentication | undefined } = {},
): Promise<string> {
  const issuedAt = Math.floor(now.getTime() / 1000);
  const { tenantId: tenant, role, sessionId: sid } = identity;
  const shown = authentication && { amr: authentication.amr, auth_time: secondsOf(authentication.at) };
  return new SignJWT({ tenant, role, sid, rev: revision, ...shown })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: key.kid })
    .setIssuer(settings.issuer)
    .setAudience(settings.audience)
    .setSubject(identity.userID)
    .setJti(newId())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + settings.accessTokenSeconds)
    .sign(key.privateKey);
}

const secondsOf = (at: Date): number => Math.floor(at.getTime() / 1000);

export interface VerifiedToken {
  identity: Readonly<TokenIdentity>;
  /** Of the membership; 0 when the token names none, which is below every other. */
  revision: number;
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
    requiredClaims: ["exp", "iat", "sub", "sid"],
    currentDate: now,
  });
  const { sub, sid, exp, rev = 0 } = payload;
  const chosen = organisationIn(payload);
  const shown = authenticationIn(payload);
  const isWhole = isId(sub) && isId(sid) && exp !== undefined && Number.isSafeInteger(rev);
  if (!isWhole || chosen === undefined || shown === undefined)
    throw new TypeError("the token's claims do not name an identity");
  const identity = { userID: sub, sessionId: sid, ...chosen, ...shown };
  return { identity, revision: Number(rev), expiresAtMs: exp * 1000 };
}

/** Empty for a token that does not say when; undefined for one that says nonsense. */
function authenticationIn({ auth_time: at }: JWTPayload): Pick<AuthData, "authTime"> | undefined {
  if (at === undefined) return {};
  return Number.isSafeInteger(at) ? { authTime: String(at) } : undefined;
}

/** Tenant and role belong together; undefined when one is missing or is none. */
function organisationIn({ tenant, role }: JWTPayload): Pick<AuthData, "tenantId" | "role"> | undefined {
  if (tenant === undefined && role === undefined) return {};
  return isId(tenant) && typeof role === "string" && isRole(role) ? { tenantId: tenant, role } : undefined;
}

function isId(claim: unknown): claim is string {
  return typeof claim === "string" && isUuid(claim);
}
