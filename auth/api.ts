// The endpoints of the auth service: who may call, and the mapping to the rules.
import { api, type Header } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { MaxLen, MinLen } from "encore.dev/validate";
import type { JWK } from "jose";
import { cfg } from "../config";
import { doEach } from "../db/upkeep";
import { callerAddress, callerDevice } from "../security/caller-address";
import { presentingMailedToken } from "./attempts";
import { refreshHeld } from "./browser/accounts";
import { answerSignIn, browserJar, inJar, namedAccount } from "./browser/answer";
import { findHeld } from "./browser/jar";
import { register as registerAccount } from "./registration";
import { refreshSession, signIn } from "./sessions";
import { keyRing } from "./tokens";
import { operatorTotpKey, totpKey } from "./factors/keys";
import { resealOperators, resealTotp } from "./factors/reseal";
import { purgeEnded } from "./upkeep";

interface RegisterRequest {
  email: string & MinLen<3> & MaxLen<254>;
  /** 8 to 128 characters, not among the common ones. */
  password: string & MinLen<1> & MaxLen<512>;
  /** Name of the organisation to make; the caller becomes its owner. Required without an invitation. */
  organisation?: string & MinLen<1> & MaxLen<200>;
  /** Of an invitation's link, instead of an organisation: the caller joins that one. */
  invitation?: string & MinLen<1> & MaxLen<512>;
  /** Tokens in cookies of the browser instead of the body; for pages of this origin. */
  cookies?: boolean;
}

interface LoginRequest {
  email: string & MinLen<1> & MaxLen<254>;
  password: string & MinLen<1> & MaxLen<512>;
  /** Tokens in cookies of the browser instead of the body; for pages of this origin. */
  cookies?: boolean;
}

interface RefreshRequest {
  /** Without it the cookie of the account that X-Account-Id names, or of the active one; the answer comes in cookies too. */
  refreshToken?: string & MinLen<1> & MaxLen<512>;
}

export interface SessionResponse {
  /** For the Authorization header, after "Bearer ". Empty when the tokens are in cookies. */
  accessToken: string;
  /** For POST /auth/refresh; each answer brings the next one. Empty when the tokens are in cookies. */
  refreshToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  /** When cookies were asked for, or the caller came by them. */
  setCookie?: Header<"Set-Cookie">;
  user: { id: string; email: string };
  /** Null for an account that belongs to none. */
  organisation: { id: string; name: string; role: "owner" | "admin" | "member" | "viewer" | "custom" } | null;
}

/** Registers a person with a new organisation, or the one they are invited to, and signs them in. */
export const register = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/register",
    sensitive: true,
    tags: ["public:nobody has an account before registering", "limit:auth"],
  },
  async ({ cookies, ...req }: RegisterRequest): Promise<SessionResponse> => {
    const join = () => registerAccount(req, new Date(), callerDevice(), callerAddress());
    return answerSignIn(
      cookies,
      () => (req.invitation === undefined ? join() : presentingMailedToken(callerAddress(), join)),
      true,
    );
  },
);

/** Signs in with e-mail and password. */
export const login = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/login",
    sensitive: true,
    tags: ["public:this is how one signs in", "limit:auth"],
  },
  async ({ cookies, ...req }: LoginRequest): Promise<SessionResponse> =>
    answerSignIn(cookies, () => signIn(req, new Date(), callerAddress(), callerDevice())),
);

/** Exchanges a refresh token, which is used up, for new tokens; again within half a minute gives the same one. */
export const refresh = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/refresh",
    sensitive: true,
    tags: ["public:the refresh token is the credential", "limit:refresh"],
  },
  async ({ refreshToken }: RefreshRequest): Promise<SessionResponse> => {
    if (refreshToken !== undefined) return refreshSession(refreshToken, new Date(), callerAddress());
    const jar = browserJar();
    return inJar(jar, await refreshHeld(findHeld(jar, namedAccount(jar)), new Date(), callerAddress()));
  },
);

interface PublicKey {
  kty: string;
  kid: string;
  alg: string;
  use: string;
  /** Of EdDSA. */
  crv?: string;
  x?: string;
  /** Of RS256. */
  n?: string;
  e?: string;
}

interface KeySetResponse {
  keys: PublicKey[];
  cacheControl: Header<"Cache-Control">;
}

/** Nothing but what is named here leaves: a private part has other names. */
function shownKey({ kty = "", kid = "", alg = "", use = "", ...more }: JWK): PublicKey {
  const { crv = "", x = "", n = "", e = "" } = more;
  return { kty, kid, alg, use, ...(kty === "OKP" ? { crv, x } : { n, e }) };
}

/** The public keys of access tokens (RFC 7517): the one that signs, those that will, and those whose tokens may still be valid. */
export const jwks = api(
  {
    expose: true,
    method: "GET",
    path: "/.well-known/jwks.json",
    tags: ["public:public keys are for everybody", "cacheable"],
  },
  async (): Promise<KeySetResponse> => ({
    keys: (await keyRing.published()).map(shownKey),
    cacheControl: `public, max-age=${cfg.auth.jwksMaxAgeSeconds}`,
  }),
);

const DAY_MS = 86_400_000;
const SIGNING_KEY_MAX_AGE_MS = 90 * DAY_MS;

/** Upkeep: a new signing key every 90 days; what an earlier master key sealed is sealed again; sessions and keys that ended long ago out. */
export const maintain = api({ expose: false, method: "POST", path: "/auth/maintain" }, async (): Promise<void> => {
  await doEach([
    () => keyRing.rotate(SIGNING_KEY_MAX_AGE_MS),
    () => keyRing.reseal(),
    () => resealTotp(totpKey()),
    () => resealOperators(operatorTotpKey()),
    () => purgeEnded(),
  ]);
});

export const maintainHourly = new CronJob("auth-maintain", {
  title: "Rotate signing keys, remove ended sessions",
  every: "1h",
  endpoint: maintain,
});
