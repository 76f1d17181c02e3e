// Who somebody is, as a provider says: the code for an ID token, by openid-client, which checks state, nonce, PKCE, `iss`
// of the answer (RFC 9207), issuer, audience, times and the signature. The e-mail of the userinfo endpoint is asked for
// where the token has none, and counts for the same subject only (OpenID Connect Core §5.3.2).
import { authorizationCodeGrant, fetchUserInfo, type Configuration } from "openid-client";
import { normaliseEmail } from "../email";
import { OidcProblem } from "./failures";
import type { OidcClients } from "./providers";
import type { Returned } from "./state";

export interface Claims {
  issuer: string;
  subject: string;
  /** Normalised; undefined where there is none, or one that is no address. */
  email: string | undefined;
  /** Whether the provider says that the person reads its mails: `true`, and nothing like it. */
  isEmailVerified: boolean;
  /** Whether it says that they don't: of one that says nothing both are false. */
  isEmailUnverified: boolean;
  /** When the person last showed the provider who they are, in seconds since 1970; undefined when it does not say. */
  authTime: number | undefined;
}

const SUBJECT_CHARS_MAX = 255;

/** @throws APIError oidc_unavailable, oidc_failed, service_unavailable. */
export function claimsOf(clients: OidcClients, { provider, url, state, oidc }: Returned): Promise<Claims> {
  return clients.use(provider, async (client) => {
    const tokens = await authorizationCodeGrant(client, url, {
      expectedState: state,
      expectedNonce: oidc.nonce,
      pkceCodeVerifier: oidc.verifier,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    if (claims === undefined) throw new OidcProblem("no ID token");
    const { iss: issuer, sub: subject, auth_time: authTime } = claims;
    if (subject === "" || subject.length > SUBJECT_CHARS_MAX) throw new OidcProblem("a subject of a strange length");
    const told = claims["email"] === undefined ? await askForEmail(client, tokens.access_token, subject) : claims;
    const email = typeof told["email"] === "string" ? normaliseEmail(told["email"]) : undefined;
    const says = told["email_verified"];
    const isEmailVerified = email !== undefined && says === true;
    return { issuer, subject, email, isEmailVerified, isEmailUnverified: isDenied(says), authTime };
  });
}

/** Some write it as a text. */
const isDenied = (says: unknown): boolean => says !== undefined && says !== null && says !== true && says !== "true";

async function askForEmail(client: Configuration, token: string, subject: string): Promise<Record<string, unknown>> {
  if (client.serverMetadata().userinfo_endpoint === undefined) return {};
  return fetchUserInfo(client, token, subject);
}
