// The app's gateway: who is calling, from the access token in the Authorization header or in the browser's cookies.
// Decided from the token alone, without a database round trip. The guard does not see requests that are refused here,
// so an address that sends bad tokens is limited here, before their signatures are looked at.
import { Gateway, type APIError, type Cookie, type Header } from "encore.dev/api";
import { authHandler } from "encore.dev/auth";
import { JOSEError, JWTExpired } from "jose/errors";
import { addressOfChain, limitKeyOfChain } from "../security/client-ip";
import { commonErrors } from "../security/common-errors";
import { refuseForeignHandshake } from "../security/csrf";
import { limits } from "../security/limits";
import type { AuthData } from "../security/principal";
import { logger } from "../telemetry/logger";
import { sessionTokenOf } from "./browser/jar";
import { staffMeant } from "./browser/staff-cookie";
import { errors } from "./errors";
import { identityAt, knownKey, readKey, wasGoodKey, type KnownKey } from "./key-identity";
import { isKeyText, KEY_PREFIX } from "./key-text";
import { readOperatorToken, wasGoodToken } from "./operators/sign-in";
import { SESSION_PREFIX } from "./operators/token";
import { knownIdentity, readAccessToken, readOfGoodSession, RevokedTokenError } from "./tokens";

const log = logger("auth");

interface Credentials {
  authorization?: Header<"Authorization">;
  /** Places of a browser's accounts (auth/browser/jar.ts), which of them acts, and which acts when the request does not say. */
  session0?: Cookie<string, "__Host-session-0">;
  session1?: Cookie<string, "__Host-session-1">;
  session2?: Cookie<string, "__Host-session-2">;
  session3?: Cookie<string, "__Host-session-3">;
  session4?: Cookie<string, "__Host-session-4">;
  accountId?: Header<"X-Account-Id">;
  active?: Cookie<string, "__Host-account">;
  /** Of the platform's staff: it acts only where the request says that they do (auth/browser/staff-cookie.ts). */
  staff?: Cookie<string, "__Host-operator">;
  /** "1" where a page of staff asks by itself, which keeps no session of theirs alive. */
  background?: Header<"X-Background">;
  /** To count bad tokens by. It is always there, so that this handler also runs for those who bring no credentials. */
  forwardedFor?: Header<"X-Forwarded-For">;
  /** The rest tells whether another site opens a stream with the cookie: the guard does not see a stream's headers. */
  webSocketKey?: Header<"Sec-WebSocket-Key">;
  origin?: Header<"Origin">;
  fetchSite?: Header<"Sec-Fetch-Site">;
  host?: Header<"X-Forwarded-Host">;
}

/** Of the failures an address may have: a forged token is an attack, one that has expired mostly a client that slept. */
const FORGED_POINTS = 10;
const EXPIRED_POINTS = 1;

/**
 * The header wins over the cookie. A token that is not valid is refused, not ignored. A known token is answered at once:
 * the runtime takes a value as well as a promise of it (contract 13.3), though the SDK's type names only the latter.
 */
export const authenticate = authHandler<Credentials, AuthData>(
  (credentials) => identify(credentials) as Promise<AuthData>,
);

export const gateway = new Gateway({ authHandler: authenticate });

function identify(credentials: Credentials): AuthData | Promise<AuthData> {
  try {
    const { authorization = "" } = credentials;
    if (authorization === "") return identifyByCookie(credentials);
    const now = new Date();
    // The usual spelling of a known token, before its form is looked at.
    const known = authorization.startsWith(SCHEME) ? knownIdentity(authorization.slice(SCHEME.length), now) : undefined;
    if (known !== undefined) return refusing(known, credentials);
    if (authorization.startsWith(KEY_START)) return identifyByKey(authorization.slice(SCHEME.length), credentials);
    if (authorization.startsWith(OPERATOR_START))
      return identifyOperator(authorization.slice(SCHEME.length), credentials);
    const token = tokenPattern.exec(authorization)?.[1];
    return token === undefined ? refuseForm(credentials) : identifyByToken(token, now, credentials);
  } catch (refusal) {
    return Promise.reject(refusal);
  }
}

const SCHEME = "Bearer ";
const KEY_START = `${SCHEME}${KEY_PREFIX}`;
const OPERATOR_START = `${SCHEME}${SESSION_PREFIX}`;
const tokenPattern = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i;

function identifyByCookie(credentials: Credentials): AuthData | Promise<AuthData> {
  const { session0, session1, session2, session3, session4, accountId, active, staff } = credentials;
  const meant = staffMeant(accountId);
  if (meant !== undefined)
    return staff === undefined ? nobody : identifyStaffByCookie(staff.value, meant.id, credentials);
  const named = accountId || active?.value;
  if (named === undefined) return nobody;
  const token = sessionTokenOf(named, [session0, session1, session2, session3, session4]);
  if (token === undefined) return nobody;
  refuseForeignHandshake(credentials);
  const identity = identifyByToken(token, new Date(), credentials);
  return identity instanceof Promise ? identity.then((found) => ownedBy(named, found)) : ownedBy(named, identity);
}

/** Another tab may have signed in somebody else meanwhile: what one operator began is not done as another. */
async function identifyStaffByCookie(
  token: string,
  id: string | undefined,
  credentials: Credentials,
): Promise<AuthData> {
  refuseForeignHandshake(credentials);
  const identity = await identifyOperator(token, credentials);
  return id === undefined ? identity : ownedBy(id, identity);
}

/** A place's token speaks for the account that the request means, and for no other. */
function ownedBy(named: string, identity: AuthData): AuthData {
  if (identity.userID !== named) throw errors.invalid_token({ internal: "a cookie of another account" });
  return identity;
}

/** A token that is not known is looked at only while its sender's address has not failed too often, or its session was good. */
function identifyByToken(token: string, now: Date, credentials: Credentials): AuthData | Promise<AuthData> {
  const known = knownIdentity(token, now);
  if (known !== undefined) return refusing(known, credentials);
  const ofGoodSession = readOfGoodSession(token, now);
  if (ofGoodSession !== undefined) return refusing(ofGoodSession, credentials);
  limits.assertFewFailures("accessToken", addressOf(credentials));
  return refusing(readAccessToken(token, now), credentials);
}

function identifyByKey(key: string, credentials: Credentials): AuthData | Promise<AuthData> {
  const known = knownKey(key);
  if (known !== undefined) return fromItsNetwork(known, credentials);
  if (!isKeyText(key)) return refuseForm(credentials);
  if (!wasGoodKey(key)) limits.assertFewFailures("accessToken", addressOf(credentials));
  return refusing(
    readKey(key).then((read) => fromItsNetwork(read, credentials)),
    credentials,
  );
}

/** From elsewhere a key opens nothing, and it counts as a failure: whoever found one may try from many addresses. */
function fromItsNetwork(key: KnownKey, credentials: Credentials): AuthData {
  if (key.networks === undefined) return key.identity;
  try {
    return identityAt(key, addressOfChain(credentials.forwardedFor));
  } catch (refusal) {
    limits.countFailure("accessToken", addressOf(credentials), EXPIRED_POINTS);
    const { userID, kind, tenantId } = key.identity;
    log.warn(
      { actor: `${kind}:${userID}`, tenantId, address: addressOf(credentials) },
      "an API key came from a network that it is not for",
    );
    throw refusal;
  }
}

/** Asked for each time: the end of an operator's session is known at once. */
function identifyOperator(token: string, credentials: Credentials): Promise<AuthData> {
  if (!wasGoodToken(token)) limits.assertFewFailures("accessToken", addressOf(credentials));
  const isBackground = credentials.background === "1";
  return readOperatorToken(token, { isBackground }).catch((cause: unknown) => refuse(cause, credentials));
}

/** An identity that is there is answered at once. */
function refusing(identity: AuthData | Promise<AuthData>, credentials: Credentials): AuthData | Promise<AuthData> {
  return identity instanceof Promise ? identity.catch((cause: unknown) => refuse(cause, credentials)) : identity;
}

const addressOf = ({ forwardedFor }: Credentials): string => limitKeyOfChain(forwardedFor);

/** Most calls of public endpoints bring nothing: one answer for all of them, made once. An error's stack is dear. */
const nobody = Promise.reject<never>(fixed(commonErrors.unauthenticated()));
nobody.catch(() => undefined);

function fixed(error: APIError): APIError {
  Object.freeze(error.details);
  return Object.freeze(error);
}

/** What is no token of ours by its form. */
function refuseForm(credentials: Credentials): never {
  limits.assertFewFailures("accessToken", addressOf(credentials));
  limits.countFailure("accessToken", addressOf(credentials), EXPIRED_POINTS);
  throw errors.invalid_token({ internal: "no bearer token" });
}

function refuse(cause: unknown, credentials: Credentials): never {
  const isStale = cause instanceof JWTExpired || cause instanceof RevokedTokenError;
  if (!(isStale || cause instanceof JOSEError || cause instanceof TypeError)) throw cause;
  const points = isStale ? EXPIRED_POINTS : FORGED_POINTS;
  limits.countFailure("accessToken", addressOf(credentials), points);
  throw errors.invalid_token({ cause });
}
