// Security headers as plain data, a set for each surface (README, "Headers"): the guard sets the API's on what the app
// answers, the host's edge and the proxy configurations in deploy/ on everything else (errors and refusals, where a handler
// cannot set any); pages and downloads replace them by their own.
// Strict-Transport-Security is in every answer: the app speaks HTTP behind a proxy that ends TLS, and browsers obey it only
// where it came over TLS (RFC 6797 §8.1), so on http://localhost it does nothing.

/** For every answer of the API, errors too: JSON, never framed, never sniffed, never kept by a cache. */
export const apiHeaders = {
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const satisfies Record<string, string>;

/** For a public read that says itself how long caches may keep it (the tag `cacheable`). */
export const { "cache-control": _noStore, ...cacheableHeaders } = apiHeaders;

/** For HTML: no window of another origin keeps a hand on it (Cross-Origin-Opener-Policy), and it asks for nothing of the machine. */
const pageHeaders = {
  ...apiHeaders,
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
} as const satisfies Record<string, string>;

/** For the documentation page: its own scripts and styles only, calls to this origin only. `data:` images are the viewer's icons. */
export const docsPageHeaders = {
  ...pageHeaders,
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
} as const satisfies Record<string, string>;

/** For the operations console: scripts and styles of its own files alone, and no text ever becomes markup (trusted types). */
export const consolePageHeaders = {
  ...pageHeaders,
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
} as const satisfies Record<string, string>;

/** For a page without scripts. */
export const plainPageHeaders = {
  ...pageHeaders,
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
} as const satisfies Record<string, string>;

/** For what is saved and never shown: opened by mistake it is a document of no origin. `name` is of ours, without quotes. */
export const downloadHeaders = (name: string): Record<string, string> => ({
  ...apiHeaders,
  "content-security-policy": `${apiHeaders["content-security-policy"]}; sandbox`,
  "content-disposition": `attachment; filename="${name}"`,
});
