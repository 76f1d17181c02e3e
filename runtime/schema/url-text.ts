// Percent-decoding and form-decoding as the official runtime does them: a bad `%` stays as it is.

const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;

function toBytes(text: string): Buffer {
  const source = Buffer.from(text, "utf8");
  const out = Buffer.allocUnsafe(source.length);
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    const pair = source[i] === 37 ? source.toString("latin1", i + 1, i + 3) : "";
    if (HEX_PAIR.test(pair)) {
      out[length++] = parseInt(pair, 16);
      i += 2;
    } else out[length++] = source[i]!;
  }
  return out.subarray(0, length);
}

/** Decodes `%xx`; the bytes are read as UTF-8, with U+FFFD for what is not. */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return toBytes(text).toString("utf8");
  }
}

/** Decodes `%xx`; undefined when the bytes are not UTF-8. */
export function percentDecodeStrict(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    const bytes = toBytes(text);
    const decoded = bytes.toString("utf8");
    return Buffer.from(decoded).equals(bytes) ? decoded : undefined;
  }
}

function formDecode(text: string): string {
  return percentDecode(text.includes("+") ? text.replaceAll("+", " ") : text);
}

/** Calls back for each `key=value` of a query string, decoded, in order. */
export function eachPair(query: string, visit: (key: string, value: string) => void): void {
  for (let start = 0; start < query.length;) {
    let end = query.indexOf("&", start);
    if (end < 0) end = query.length;
    if (end > start) {
      const equals = query.indexOf("=", start);
      const split = equals < 0 || equals > end ? end : equals;
      visit(formDecode(query.slice(start, split)), formDecode(query.slice(Math.min(split + 1, end), end)));
    }
    start = end + 1;
  }
}

/** A query component in form encoding. */
export function formEncode(text: string): string {
  return encodeURIComponent(text)
    .replace(/%20/g, "+")
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A path segment: only unreserved characters stay. */
export function pathEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The cookies of `Cookie` header lines; of two with one name the last wins. Lines that are not ASCII are ignored. */
export function parseCookies(lines: readonly string[]): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const line of lines) {
    if (/[^\t\u0020-\u007e]/.test(line)) continue;
    for (const part of line.split(";")) {
      const equals = part.indexOf("=");
      const name = part.slice(0, equals).trim();
      if (equals > 0 && name !== "") cookies.set(name, part.slice(equals + 1).trim());
    }
  }
  return cookies;
}
