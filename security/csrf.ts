// Cross-site request forgery: a browser sends the session's cookies along with requests that other sites cause.
// Browsers say where a request comes from (Sec-Fetch-Site, Origin), so that is what decides; no token needed.
// Requests that carry their credentials in the Authorization header cannot be forged this way. WebSocket handshakes are
// not subject to CORS, so the same check is what keeps other sites from opening streams (RFC 6455 §10.2). The guard sees
// neither method nor headers of a stream (contract S-13), so the auth handler asks for those.
// A request with a cookie that says nothing of where it comes from is refused: every browser that takes the cookies says it,
// for they are Secure, and fetch metadata are sent wherever Secure cookies are.
// Sources: OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata headers" with Origin as the fallback, blocking when neither
// is there; Go's net/http CrossOriginProtection, which compares in the same order but lets reads pass.

import { commonErrors } from "./common-errors";

type Headers = Readonly<Record<string, string | string[] | undefined>>;
type ReadHeader = (name: string) => string | string[] | undefined;

const readMethods: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** Whose page caused a request, by what the browser says of it. */
function causeOf(header: ReadHeader): "own" | "foreign" | "unknown" {
  const site = single(header("sec-fetch-site"));
  if (site !== undefined) return site === "same-origin" || site === "none" ? "own" : "foreign";
  const origin = single(header("origin"));
  if (origin === undefined) return "unknown";
  const host = single(header("x-forwarded-host")) ?? single(header("host"));
  const isOwn = URL.canParse(origin) && new URL(origin).host === hostOf(host, new URL(origin).protocol);
  return isOwn ? "own" : "foreign";
}

/**
 * Whether another site may have caused this request, with its credentials sent along by the browser. The method does
 * not matter: which GET has side effects is nothing this place can know.
 */
export const isCrossSite = (headers: Headers): boolean => isCrossSiteBy((name) => headers[name]);

/** The same of headers that are read one by one. */
export function isCrossSiteBy(header: ReadHeader): boolean {
  if (single(header("authorization")) !== undefined) return false;
  const cause = causeOf(header);
  // Without a cookie no browser can have added credentials: a program, or another service of ours.
  return cause === "foreign" || (cause === "unknown" && single(header("cookie")) !== undefined);
}

/** Whether a page of ours caused this request, beyond doubt: what sets cookies, or acts by those it reads itself, asks this. */
export const isOwnPageBy = (header: ReadHeader): boolean => causeOf(header) === "own";

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
  const headers: Headers = { "sec-fetch-site": fetchSite, origin, "x-forwarded-host": host };
  if (!isOwnPageBy((name) => headers[name])) throw commonErrors.cross_site_request();
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
