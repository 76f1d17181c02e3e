// The site that passkeys belong to: that of APP_URL, where people use the app. Its host is the RP id (WebAuthn Level 3
// §5.1.2), so a passkey is of no use to any other site, and changing the host makes those of before useless.
import { isIP } from "node:net";
import { cfg } from "../../config";
import { errors } from "../errors";

export interface RelyingParty {
  id: string;
  name: string;
  origin: string;
}

/** @throws APIError passkeys_not_configured in production without APP_URL, or where it names no domain. */
export function relyingParty(appUrl = cfg.appUrl, env = cfg.env): RelyingParty {
  const { hostname, origin, protocol } = new URL(appUrl);
  const isHere = hostname === "localhost" || hostname.endsWith(".localhost");
  const isUsable = isIP(hostname.replace(/^\[|\]$/g, "")) === 0 && (protocol === "https:" || isHere);
  if (!isUsable || (isHere && env === "production")) throw errors.passkeys_not_configured();
  return { id: hostname, name: cfg.auth.issuer, origin };
}
