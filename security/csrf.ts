// Cross-site request forgery: a browser sends the session cookie along with requests that other sites cause.
// Browsers say where a request comes from (Sec-Fetch-Site, Origin), so that is what decides; no token needed.
// Requests that carry their credentials in the Authorization header cannot be forged this way.
// Source: OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata headers" with Origin as the fallback.

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether another site may have caused this request, with its credentials sent along by the browser. */
export function isCrossSite(method: string, headers: Headers): boolean {
  if (safeMethods.has(method) || single(headers.authorization) !== undefined) return false;
  const site = single(headers["sec-fetch-site"]);
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  const origin = single(headers.origin);
  if (origin === undefined) return false; // no browser
  const host = single(headers["x-forwarded-host"]) ?? single(headers.host);
  return !URL.canParse(origin) || new URL(origin).host !== host;
}

/** A header that came twice is not trusted to say either. */
function single(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? "ambiguous" : value;
  return text === "" ? undefined : text;
}
