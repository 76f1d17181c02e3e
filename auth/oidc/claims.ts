// Who somebody is, as a provider says: the code for an ID token, by openid-client, which checks state, nonce, PKCE, `iss`
// of the answer (RFC 9207), issuer, audience, times and the signature. The e-mail of the userinfo endpoint is asked for
// where the token has none, and counts for the same subject only (OpenID Connect Core §5.3.2).
import { authorizationCodeGrant, fetchUserInfo, type Configuration } from "openid-client";
import { spellEmail } from "../../mail/email";
import { OidcProblem } from "./failures";
import type { OidcClients } from "./providers";
import type { Returned } from "./state";

export interface Claims {
  issuer: string;
  subject: string;
  /** In its one spelling; undefined where there is none. Need not be an address to which mails can be sent: isEmail says. */
  email: string | undefined;
  /** Whether the provider says that the person reads its mails: `true`, and nothing like it; and of this very spelling. */
  isEmailVerified: boolean;
  /** Whether it says that they don't, or says it of another spelling: of one that says nothing both are false. */
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
    const written = typeof told["email"] === "string" ? told["email"] : "";
    const email = spellEmail(written);
    const says = told["email_verified"];
    const isMeant = email !== undefined && isSpelled(written, email);
    const isEmailUnverified = isDenied(says) || (email !== undefined && !isMeant);
    return { issuer, subject, email, isEmailVerified: isMeant && says === true, isEmailUnverified, authTime };
  });
}

/**
 * Whether what a provider vouches for is the address itself, but for capitals, for how accents are written (some directories write
 * them as signs of their own), and for the domain's spelling, which is the mail's own (IDNA). Normalising joins what mail servers
 * tell apart: whoever reads the mails of `\ufb01ona@` need not be `fiona@`. What is all composed, or all taken apart, has none of
 * the signs whose small letter is another's, as the Kelvin sign's is `k`.
 */
function isSpelled(written: string, email: string): boolean {
  const local = localOf(written.trim());
  const composed = local.normalize("NFC");
  return [composed, local.normalize("NFD")].includes(local) && composed.toLowerCase() === localOf(email);
}
const localOf = (address: string): string => address.slice(0, address.lastIndexOf("@"));

/** Some write it as a text. */
const isDenied = (says: unknown): boolean => says !== undefined && says !== null && says !== true && says !== "true";

async function askForEmail(client: Configuration, token: string, subject: string): Promise<Record<string, unknown>> {
  if (client.serverMetadata().userinfo_endpoint === undefined) return {};
  return fetchUserInfo(client, token, subject);
}
