// What lies between the way to a provider and the way back: a sealed challenge that travels as `state`, so that beginning
// costs no row and nobody can fill a table with beginnings (factors/challenge.ts). In it stand the provider, the PKCE
// verifier (RFC 7636) and the nonce (OpenID Connect Core §3.1.2.1), which only we can read, and the digest of a cookie:
// who ends it must be the browser that began it, else anybody could sign somebody else in to an account of their own
// (login CSRF: RFC 9700 §4.7, RFC 6749 §10.12). States: open (ten minutes) → consumed, before the provider is asked.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { buildAuthorizationUrl, calculatePKCECodeChallenge, randomNonce, randomPKCECodeVerifier } from "openid-client";
import { cfg } from "../../config";
import { withSystem } from "../../db/tenant";
import { errors } from "../errors";
import { createChallenge, readChallenge, type Challenge, type Purpose } from "../factors/challenge";
import { challengeConsume } from "../store/factors";
import type { OidcClients, Provider } from "./providers";

export type OidcPurpose = Extract<Purpose, `oidc-${string}`>;

/** Long enough for a second factor at the provider. */
export const STATE_SECONDS = 600;

/** Of the address with a code and our state in it: a host that is longer takes the square of its length to read. */
const RETURN_CHARS_MAX = 8_192;

const BROWSER = /^[\w-]{43}$/;

export interface Begun {
  /** Where the browser goes. */
  url: string;
  /** What it keeps in a cookie until it is back. */
  browser: string;
}

/**
 * Where the provider sends browsers back to: a page of the app, another one for each provider, so that an answer of one
 * cannot be taken for another's where providers do not name themselves in it (mix-up: RFC 9700 §4.4.2.2).
 */
export const redirectUriOf = (provider: Pick<Provider, "id">, appUrl = cfg.appUrl): string =>
  `${appUrl.endsWith("/") ? appUrl.slice(0, -1) : appUrl}/oidc/callback/${provider.id}`;

const digestOf = (browser: string): string => createHash("sha256").update(browser).digest("base64url");

export interface Beginning {
  purpose: OidcPurpose;
  provider: Provider;
  /** The cookie of the browser, if it has one: it keeps it, so that two tabs don't disturb each other. */
  browser: string | undefined;
  /** Of a link: whose it is to be. */
  caller?: { accountId: string; sessionId: string };
  /** Of a sign-in: whom the provider is to think of first. */
  loginHint?: string;
  /** Whether the provider is to ask again who they are, however lately it did. */
  isFresh?: boolean;
}

/** @throws APIError oidc_unavailable, oidc_failed. */
export async function beginAt(clients: OidcClients, beginning: Beginning, now: Date): Promise<Begun> {
  const { purpose, provider, caller, loginHint, isFresh = false } = beginning;
  const browser = BROWSER.test(beginning.browser ?? "")
    ? (beginning.browser ?? "")
    : randomBytes(32).toString("base64url");
  const verifier = randomPKCECodeVerifier();
  const nonce = randomNonce();
  const oidc = { provider: provider.id, verifier, nonce, browser: digestOf(browser) };
  const state = createChallenge(purpose, { ...caller, oidc }, now, STATE_SECONDS);
  const challenge = await calculatePKCECodeChallenge(verifier);
  return clients.use(provider, (client) => {
    const url = buildAuthorizationUrl(client, {
      redirect_uri: redirectUriOf(provider),
      scope: "openid email",
      state,
      nonce,
      code_challenge: challenge,
      code_challenge_method: "S256",
      ...(loginHint === undefined ? {} : { login_hint: loginHint }),
      // By `max_age` it has to tell `auth_time` (OpenID Connect Core §3.1.2.1), without which nobody knows whether it asked.
      ...(isFresh ? { prompt: "login", max_age: "0" } : {}),
    });
    return Promise.resolve({ url: url.href, browser });
  });
}

export interface Returned {
  /** Where the provider sent the browser, as it stands there. */
  url: URL;
  provider: Provider;
  challenge: Challenge;
  oidc: NonNullable<Challenge["oidc"]>;
  state: string;
}

/**
 * What came back, if this browser began it, and at this provider. Nothing is used up yet.
 * @throws APIError challenge_invalid; oidc_provider_not_found when the provider was removed meanwhile.
 */
export async function readReturn(
  clients: OidcClients,
  purpose: OidcPurpose,
  { url: text, browser }: { url: string; browser: string | undefined },
  now: Date,
): Promise<Returned> {
  const url = text.length <= RETURN_CHARS_MAX && URL.canParse(text) ? new URL(text) : undefined;
  const state = url?.searchParams.get("state") ?? "";
  const challenge = readChallenge(purpose, state, now);
  const oidc = challenge?.oidc;
  if (url === undefined || challenge === undefined || oidc === undefined) throw errors.challenge_invalid();
  const shown = Buffer.from(digestOf(browser ?? ""));
  if (!timingSafeEqual(shown, Buffer.from(oidc.browser)))
    throw errors.challenge_invalid({ internal: "another browser began it" });
  const provider = await clients.find(oidc.provider);
  if (`${url.origin}${url.pathname}` !== redirectUriOf(provider))
    throw errors.challenge_invalid({ internal: "the answer of another provider" });
  return { url, provider, challenge, oidc, state };
}

/** Of many at once one goes on. @throws APIError challenge_invalid. */
export async function consumeReturn({ challenge }: Returned): Promise<void> {
  const isFirst = await withSystem("oidc-return", (tx) => challengeConsume(tx, challenge));
  if (!isFirst) throw errors.challenge_invalid({ internal: "used" });
}
