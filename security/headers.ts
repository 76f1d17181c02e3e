// Security headers as plain data: the guard sets them on what the app answers, the host's edge and the proxy
// configurations in deploy/ on everything else (errors and refusals, where a handler cannot set any).

/** For every answer of the API: JSON, never framed, never sniffed, never stored by a shared cache. */
export const apiHeaders = {
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "cross-origin-resource-policy": "same-origin",
} as const satisfies Record<string, string>;

/** For the documentation page: its own scripts and styles only, calls to this origin only. `data:` images are the viewer's icons. */
export const docsPageHeaders = {
  ...apiHeaders,
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
} as const satisfies Record<string, string>;
