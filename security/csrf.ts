// Cross-site request forgery: a browser sends the session cookie along with requests that other sites cause.
// Browsers say where a request comes from (Sec-Fetch-Site, Origin), so that is what decides; no token needed.
// Requests that carry their credentials in the Authorization header cannot be forged this way. WebSocket handshakes are
// not subject to CORS, so the same check is what keeps other sites from opening streams (RFC 6455 §10.2). The guard sees
// neither method nor headers of a stream (contract S-13), so the auth handler asks for those.
// Source: OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata headers" with Origin as the fallback.

import { commonErrors } from "./common-errors";

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const readMethods: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/**
 * Whether another site may have caused this request, with its credentials sent along by the browser. The method does
 * not matter: which GET has side effects is nothing this place can know.
 */
export const isCrossSite = (headers: Headers): boolean => isCrossSiteBy((name) => headers[name]);

/** The same of headers that are read one by one. */
export function isCrossSiteBy(header: (name: string) => string | string[] | undefined): boolean {
  if (single(header("authorization")) !== undefined) return false;
  const site = single(header("sec-fetch-site"));
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  const origin = single(header("origin"));
  if (origin === undefined) return false; // no browser
  const host = single(header("x-forwarded-host")) ?? single(header("host"));
  return !URL.canParse(origin) || new URL(origin).host !== hostOf(host, new URL(origin).protocol);
}

/** A request that only reads: what a link from anywhere may do at a public endpoint. */
export const isPlainRead = (method: string): boolean => readMethods.has(method);

/** What tells, of a request with a cookie, whether it opens a stream and who caused it. */
export interface Handshake {
  webSocketKey?: string;
  origin?: string;
  fetchSite?: string;
  host?: string;
}

/**
 * For the auth handler, when the credentials came in a cookie.
 * @throws APIError permission_denied when another site may have caused the handshake of a stream
 */
export function refuseForeignHandshake({ webSocketKey, origin, fetchSite, host }: Handshake): void {
  if (webSocketKey === undefined) return;
  if (isCrossSite({ "sec-fetch-site": fetchSite, origin, "x-forwarded-host": host }))
    throw commonErrors.cross_site_request();
}

/** As URLs write it: lower case, without the port that the protocol implies. */
function hostOf(host: string | undefined, protocol: string): string | undefined {
  const url = `${protocol}//${host}`;
  return host !== undefined && URL.canParse(url) ? new URL(url).host : undefined;
}

/** A header that came twice is not trusted to say either. */
function single(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? "ambiguous" : value;
  return text === "" ? undefined : text;
}
