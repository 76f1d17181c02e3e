// The app's gateway: who is calling, from the access token in the Authorization header or the session cookie.
// Decided from the token alone, without a database round trip.
import { Gateway, type Cookie, type Header } from "encore.dev/api";
import { authHandler } from "encore.dev/auth";
import { JOSEError } from "jose/errors";
import type { AuthData } from "../security/principal";
import { errors } from "./errors";
import { readAccessToken } from "./tokens";

interface Credentials {
  authorization?: Header<"Authorization">;
  session?: Cookie<string, "session">;
}

/**
 * The header wins over the cookie. A token that is not valid is refused, not ignored. A known token is answered at once:
 * the runtime takes a value as well as a promise of it (contract 13.3), though the SDK's type names only the latter.
 */
export const authenticate = authHandler<Credentials, AuthData>(
  (credentials) => identify(credentials) as Promise<AuthData>,
);

export const gateway = new Gateway({ authHandler: authenticate });

function identify(credentials: Credentials): AuthData | Promise<AuthData> {
  const token = tokenFrom(credentials);
  if (token === undefined) return Promise.reject(errors.invalid_token({ internal: "no bearer token" }));
  const identity = readAccessToken(token, new Date());
  return identity instanceof Promise ? identity.catch(refuse) : identity;
}

function refuse(cause: unknown): never {
  if (cause instanceof JOSEError || cause instanceof TypeError) throw errors.invalid_token({ cause });
  throw cause;
}

function tokenFrom({ authorization, session }: Credentials): string | undefined {
  if (authorization === undefined || authorization === "") return session?.value;
  return /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(authorization)?.[1];
}
