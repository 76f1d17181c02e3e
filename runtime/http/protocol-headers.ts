// Headers that browsers pass in the WebSocket sub-protocol (contract 3.11): `encore.dev.headers.<base64url JSON>`.

const PREFIX = "encore.dev.headers.";
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FORBIDDEN = new Set([
  "accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method", "connection",
  "content-length", "cookie", "date", "dnt", "expect", "host", "keep-alive", "origin", "permissions-policy", "referer", "te",
  "trailer", "transfer-encoding", "upgrade", "via",
]);

const isForbidden = (name: string): boolean => FORBIDDEN.has(name) || name.startsWith("sec-") || name.startsWith("proxy-");

function decode(protocol: string): string[] | null {
  let headers: unknown;
  try {
    headers = JSON.parse(Buffer.from(protocol.slice(PREFIX.length), "base64url").toString("utf8"));
  } catch {
    return null;
  }
  if (typeof headers !== "object" || headers === null) return null;
  const lines: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    const isUsable = typeof value === "string" && NAME.test(name) && !isForbidden(name.toLowerCase()) && !/[\r\n\0]/.test(value);
    if (!isUsable) return null;
    lines.push(name.toLowerCase(), Buffer.from(value, "utf8").toString("latin1"));
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
