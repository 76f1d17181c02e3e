// Headers that browsers pass in the WebSocket sub-protocol (contract 3.11): `encore.dev.headers.<base64url JSON>`.

const PREFIX = "encore.dev.headers.";
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\u0020-\u007e]*$/;
const BASE64URL = /^[A-Za-z0-9_-]*$/;
const FORBIDDEN = new Set([
  "accept-charset",
  "accept-encoding",
  "access-control-request-headers",
  "access-control-request-method",
  "connection",
  "content-length",
  "cookie",
  "date",
  "dnt",
  "expect",
  "host",
  "keep-alive",
  "origin",
  "permissions-policy",
  "referer",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
]);

const isForbidden = (name: string): boolean =>
  FORBIDDEN.has(name) || name.startsWith("sec-") || name.startsWith("proxy-");

function decode(protocol: string): string[] | null {
  const data = protocol.slice(PREFIX.length);
  if (!BASE64URL.test(data)) return null;
  let headers: unknown;
  try {
    headers = JSON.parse(Buffer.from(data, "base64url").toString("utf8"));
  } catch {
    return null;
  }
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) return null;
  const lines: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    const isUsable =
      typeof value === "string" && NAME.test(name) && !isForbidden(name.toLowerCase()) && VALUE.test(value);
    if (!isUsable) return null;
    lines.push(name.toLowerCase(), value);
  }
  return lines;
}

/** Header lines with those of the sub-protocol merged in; null when a header in it is not allowed. */
export function mergeProtocolHeaders(lines: readonly string[]): string[] | null {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    if (lines[i]!.toLowerCase() !== "sec-websocket-protocol") {
      out.push(lines[i]!, lines[i + 1]!);
      continue;
    }
    const kept: string[] = [];
    for (const protocol of lines[i + 1]!.split(",").map((p) => p.trim())) {
      if (!protocol.startsWith(PREFIX)) kept.push(protocol);
      else {
        const more = decode(protocol);
        if (more === null) return null;
        out.push(...more);
      }
    }
    if (kept.length > 0) out.push(lines[i]!, kept.join(", "));
  }
  return out;
}
