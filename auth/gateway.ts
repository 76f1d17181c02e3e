// The app's gateway: who is calling, from the access token in the Authorization header or the session cookie.
// Decided from the token alone, without a database round trip. The guard does not see requests that are refused here,
// so an address that sends bad tokens is limited here, before their signatures are looked at.
import { Gateway, type Cookie, type Header } from "encore.dev/api";
import { authHandler } from "encore.dev/auth";
import { JOSEError, JWTExpired } from "jose/errors";
import { limitKeyOfChain } from "../security/client-ip";
import { commonErrors } from "../security/common-errors";
import { refuseForeignHandshake } from "../security/csrf";
import { limits } from "../security/limits";
import type { AuthData } from "../security/principal";
import { errors } from "./errors";
import { readAccessToken } from "./tokens";

interface Credentials {
  authorization?: Header<"Authorization">;
  session?: Cookie<string, "session">;
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
    const token = tokenFrom(credentials);
    if (token === undefined) return refuseCredentials(credentials);
    const identity = readAccessToken(token, new Date(), () =>
      limits.assertFewFailures("accessToken", addressOf(credentials)),
    );
    return identity instanceof Promise ? identity.catch((cause: unknown) => refuse(cause, credentials)) : identity;
  } catch (refusal) {
    return Promise.reject(refusal);
  }
}

const addressOf = ({ forwardedFor }: Credentials): string => limitKeyOfChain(forwardedFor);

/** No credentials at all, or what is no token of ours by its form. */
function refuseCredentials(credentials: Credentials): never {
  const { authorization } = credentials;
  if (authorization === undefined || authorization === "") throw commonErrors.unauthenticated();
  limits.assertFewFailures("accessToken", addressOf(credentials));
  limits.countFailure("accessToken", addressOf(credentials), EXPIRED_POINTS);
  throw errors.invalid_token({ internal: "no bearer token" });
}

function refuse(cause: unknown, credentials: Credentials): never {
  if (!(cause instanceof JOSEError || cause instanceof TypeError)) throw cause;
  const points = cause instanceof JWTExpired ? EXPIRED_POINTS : FORGED_POINTS;
  limits.countFailure("accessToken", addressOf(credentials), points);
  throw errors.invalid_token({ cause });
}

function tokenFrom(credentials: Credentials): string | undefined {
  const { authorization, session } = credentials;
  if (authorization === undefined || authorization === "") {
    if (session !== undefined) refuseForeignHandshake(credentials);
    return session?.value;
  }
  return /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(authorization)?.[1];
}
