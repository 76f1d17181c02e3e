// What a client is told when a provider's answer is of no use. The log gets names and codes alone: the errors of
// openid-client hold what was answered, codes and tokens among it.
import { AuthorizationResponseError, ClientError, ResponseBodyError } from "openid-client";
import { logger } from "../../telemetry/logger";
import { APIError } from "encore.dev/api";
import { errors } from "../errors";
import { RestingError } from "../../security/fair-turns";
import { OutboundError } from "../../security/outbound";

const log = logger("auth");

/** What we ourselves find wrong; the text is for the log. */
export class OidcProblem extends Error {
  override readonly name = "OidcProblem";
}

/** Time that is up and answers that are none, by the library's names; besides them the errors of Node's network (E…). */
const AWAY: ReadonlySet<string> = new Set([
  "TimeoutError",
  "AbortError",
  "ABORT_ERR",
  "OAUTH_TIMEOUT",
  "OAUTH_ABORT",
  "OAUTH_RESPONSE_IS_NOT_CONFORM",
  "OAUTH_RESPONSE_IS_NOT_JSON",
  "OAUTH_PARSE_ERROR",
]);

interface Told {
  kind: string;
  code?: string;
}

function told(error: unknown): Told {
  if (error instanceof AuthorizationResponseError) return { kind: "refused", code: error.error };
  if (error instanceof ResponseBodyError) return { kind: "refused", code: error.error };
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (error instanceof ClientError && code === undefined && cause !== undefined) return told(cause);
  if (error instanceof OidcProblem) return { kind: "invalid", code: error.message };
  if (error instanceof OutboundError) return { kind: "away", code: error.message };
  const text = typeof code === "string" ? code : error instanceof Error ? error.name : "unknown";
  const isAway = AWAY.has(text) || (code !== undefined && text.startsWith("E"));
  return { kind: isAway ? "away" : "invalid", code: text };
}

/** What our own `fetch` throws when there is no turn for a request, within the library's error around it: nobody was asked. */
export function refusedTurn(error: unknown): APIError | RestingError | undefined {
  const thrown = error instanceof ClientError ? error.cause : error;
  return thrown instanceof APIError || thrown instanceof RestingError ? thrown : undefined;
}

/** An APIError stays what it is. `retryAfterSeconds`: when the provider is asked again, if that is known. */
export function asRefusal(error: unknown, provider: string, retryAfterSeconds?: number): APIError {
  const refused = refusedTurn(error);
  if (refused instanceof APIError) return refused;
  // That it hangs was logged when it did.
  if (refused !== undefined)
    return errors.oidc_unavailable({ retryAfterSeconds: refused.retryAfterSeconds, internal: refused.message });
  const { kind, code } = told(error);
  log.warn({ provider, kind, code: code?.slice(0, 100) }, "a sign-in at an OpenID provider came to nothing");
  const again = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  if (kind === "away") return errors.oidc_unavailable({ internal: code ?? kind, ...again });
  return errors.oidc_failed({ internal: `${kind}: ${code ?? ""}` });
}
