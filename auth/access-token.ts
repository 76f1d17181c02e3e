// Access tokens: JSON Web Tokens (RFC 9068 profile), short-lived, checked without asking the database. What they say is
// true when they are made; what has changed since is in revocations.ts. A token is looked at from the cheap to the dear:
// its form, its header, its claims, its key, its signature, so that refusing one costs less than taking it. Nothing of it
// is believed before the last of these holds. Only we make these tokens, in one form, so every other spelling of one
// (white space, a member twice, another base64) is refused as well: two readers could understand it differently.
import { jwtVerify, SignJWT, type CryptoKey, type JWTPayload } from "jose";
import { JOSEAlgNotAllowed, JWSInvalid, JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { isUuid, newId } from "../db/ids";
import { isRole } from "../security/permissions";
import type { AuthData } from "../security/principal";
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from "./key-schedule";

const TYPE = "at+jwt";
/** Longer than any text of ours, whose issuer and audience may have 200 characters each. */
export const TOKEN_CHARS_MAX = 4_096;
/** The longest life that can be set (AUTH_ACCESS_TOKEN_SECONDS): what says more was not made by us. */
export const TOKEN_SECONDS_MAX = 86_400;
/** The replicas' reading of the database's clock may differ by less than this. */
const AHEAD_MAX_SECONDS = 5;

export interface TokenSettings {
  issuer: string;
  audience: string;
  accessTokenSeconds: number;
}

export interface SigningKey {
  kid: string;
  algorithm: SigningAlgorithm;
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

export interface TokenFacts {
  revision?: number | undefined;
  /** Of a role that the organisation made: then the identity has a scope instead of a role. */
  roleId?: string | undefined;
  authentication?: Authentication | undefined;
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
  { revision, roleId, authentication }: TokenFacts = {},
): Promise<string> {
  const issuedAt = secondsOf(now);
  const { tenantId: tenant, role, scope, sessionId: sid } = identity;
  const shown = authentication && { amr: authentication.amr, auth_time: secondsOf(authentication.at) };
  return new SignJWT({ tenant, role, scope, role_id: roleId, sid, rev: revision, ...shown })
    .setProtectedHeader({ alg: key.algorithm, typ: TYPE, kid: key.kid })
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
  /** Of a role that the organisation made; null for a built-in one. */
  roleId: string | null;
  /** Milliseconds since the epoch. */
  expiresAtMs: number;
  /** Of the key that signed it. */
  kid: string;
}

/** The public key of an id, with the one algorithm it is for. */
export type FindKey = (kid: string) => Promise<{ algorithm: SigningAlgorithm; publicKey: CryptoKey } | undefined>;

/**
 * The identity a token speaks for. The algorithm, type, issuer, audience and lifetime are pinned, not read from the token,
 * and a key verifies with its own algorithm only (RFC 8725 §3.1, §3.10, §3.11, RFC 9068 §4).
 * Throws a JOSEError, or TypeError when a claim is not of the shape signAccessToken gives it or the key is none of ours.
 */
export async function verifyAccessToken(
  token: string,
  findKey: FindKey,
  settings: TokenSettings,
  now: Date,
): Promise<VerifiedToken> {
  const { header, claims } = readForm(token);
  const { kid, algorithm } = checkHeader(header);
  const verified = { ...checkClaims(claims, settings, now), kid };
  const key = await findKey(kid);
  if (key === undefined) throw new TypeError("the token names no key of ours");
  if (key.algorithm !== algorithm) throw new JOSEAlgNotAllowed("the token's algorithm is not its key's");
  await jwtVerify(token, key.publicKey, {
    algorithms: [key.algorithm],
    typ: TYPE,
    issuer: settings.issuer,
    audience: settings.audience,
    currentDate: now,
  });
  return verified;
}

type Members = Readonly<Record<string, unknown>>;

/** Three parts of which the first two are JSON objects as we write them. */
function readForm(token: string): { header: Members; claims: Members } {
  if (token.length > TOKEN_CHARS_MAX) throw new JWSInvalid("the token is longer than any of ours");
  const [header, claims, signature, ...more] = token.split(".");
  if (header === undefined || claims === undefined || signature === undefined || more.length > 0)
    throw new JWSInvalid("the token has not three parts");
  bytesOf(signature);
  return { header: membersIn(header), claims: membersIn(claims) };
}

/** Base64url has several spellings of some bytes, and decoders forgive more: only the one that encoders write is taken. */
function bytesOf(part: string): Buffer {
  const bytes = Buffer.from(part, "base64url");
  if (part === "" || bytes.toString("base64url") !== part)
    throw new JWSInvalid("a part is not base64url as we write it");
  return bytes;
}

/** A member that is there twice is lost when it is read, so it is not there when it is written again (RFC 8725 §2.4, RFC 7519 §4). */
function membersIn(part: string): Members {
  const text = bytesOf(part).toString();
  let members: unknown;
  try {
    members = JSON.parse(text);
  } catch {
    throw new JWSInvalid("a part is not JSON");
  }
  if (typeof members !== "object" || members === null || Array.isArray(members) || JSON.stringify(members) !== text)
    throw new JWSInvalid("a part is not a JSON object as we write it");
  return members as Members;
}

/** What a thumbprint looks like (RFC 7638 with SHA-256): no path, no statement, nothing to look up. */
const KID = /^[\w-]{43}$/;

/** Exactly our three members: whatever else there is would bring a key, a place of one, or a rule of its own (RFC 7515 §4.1). */
function checkHeader(header: Members): { kid: string; algorithm: SigningAlgorithm } {
  const { alg, typ, kid, ...more } = header;
  const algorithm = SIGNING_ALGORITHMS.find((ours) => ours === alg);
  if (algorithm === undefined) throw new JOSEAlgNotAllowed("the token's algorithm is none of ours");
  if (typ !== TYPE) throw new JWSInvalid("the token is of another type");
  if (typeof kid !== "string" || !KID.test(kid)) throw new JWSInvalid("the token's kid is not the id of a key");
  if (Object.keys(more).length > 0) throw new JWSInvalid("the token's header has members that ours have not");
  return { kid, algorithm };
}

function checkClaims(claims: JWTPayload, settings: TokenSettings, now: Date): Omit<VerifiedToken, "kid"> {
  const { iss, aud, exp, iat, nbf } = claims;
  const nowSeconds = now.getTime() / 1000;
  if (iss !== settings.issuer) throw new JWTClaimValidationFailed("another issuer", claims, "iss", "check_failed");
  if (aud !== settings.audience) throw new JWTClaimValidationFailed("another audience", claims, "aud", "check_failed");
  if (!isSeconds(exp) || !isSeconds(iat) || exp <= iat || exp - iat > TOKEN_SECONDS_MAX)
    throw new TypeError("the token has no lifetime of ours");
  if (iat > nowSeconds + AHEAD_MAX_SECONDS || nbf !== undefined)
    throw new JWTClaimValidationFailed("of the future", claims, "iat", "check_failed");
  // Of a life that was set longer before, or is on another replica, no more than is set here: revocations last no longer.
  const until = Math.min(exp, iat + settings.accessTokenSeconds);
  if (until <= nowSeconds) throw new JWTExpired("the token has expired", claims, "exp", "check_failed");
  return { ...checkIdentity(claims), expiresAtMs: until * 1000 };
}

function checkIdentity(claims: JWTPayload): Pick<VerifiedToken, "identity" | "revision" | "roleId"> {
  const { sub, sid, rev = 0, role_id: roleId = null } = claims;
  const chosen = organisationIn(claims);
  const shown = authenticationIn(claims);
  if (!isId(sub) || !isId(sid) || !Number.isSafeInteger(rev) || chosen === undefined || shown === undefined)
    throw new TypeError("the token's claims do not name an identity");
  const identity = { userID: sub, sessionId: sid, ...chosen, ...shown };
  return { identity, revision: Number(rev), roleId: roleId === null ? null : String(roleId) };
}

/** Empty for a token that does not say when; undefined for one that says nonsense. */
function authenticationIn({ auth_time: at, amr }: JWTPayload): Pick<AuthData, "authTime" | "amr"> | undefined {
  if (at === undefined && amr === undefined) return {};
  return Number.isSafeInteger(at) && isNames(amr) ? { authTime: String(at), amr: amr.join(" ") } : undefined;
}

const AMR_NAME = /^[a-z]{1,20}$/;

function isNames(claim: unknown): claim is string[] {
  return (
    Array.isArray(claim) && claim.length <= 8 && claim.every((name) => typeof name === "string" && AMR_NAME.test(name))
  );
}

const isSeconds = (claim: unknown): claim is number => Number.isSafeInteger(claim);

/** Names of permissions with one space between (RFC 6749 §3.3); which of them exist, the reader of the scope knows. */
const SCOPE = /^[a-z_.]{1,80}(?: [a-z_.]{1,80}){0,99}$/;

/**
 * Tenant and role belong together, and a scope stands for the role where the organisation made it; undefined when one is
 * missing or is none.
 */
function organisationIn(claims: JWTPayload): Pick<AuthData, "tenantId" | "role" | "scope"> | undefined {
  const { tenant, role, scope, role_id: roleId } = claims;
  if (tenant === undefined && role === undefined && scope === undefined && roleId === undefined) return {};
  if (!isId(tenant)) return undefined;
  if (scope !== undefined || roleId !== undefined)
    return role === undefined && isId(roleId) && typeof scope === "string" && SCOPE.test(scope)
      ? { tenantId: tenant, scope }
      : undefined;
  return typeof role === "string" && isRole(role) ? { tenantId: tenant, role } : undefined;
}

function isId(claim: unknown): claim is string {
  return typeof claim === "string" && isUuid(claim);
}
