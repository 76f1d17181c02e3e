// Keeps secrets out of log lines: fields by their name at any depth, and in texts what has the shape of a
// credential. Over-redaction is cheap, a leaked token is not.

const secretName =
  /(?:pass(?:word|wd|phrase)?|secret|token|authorization|cookie|api[-_]?key|credentials?|private[-_]?key|otp|dsn|connection[-_]?string)s?$/i;
const replacement = "[redacted]";
const maxDepth = 6;

/** A copy of `fields` in which every field with a secret's name is replaced. Errors are left to their serializer. */
export function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return redactObject(fields, 0);
}

function redactObject(object: Record<string, unknown>, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) {
    copy[key] = secretName.test(key) && value != null ? replacement : redactValue(value, depth + 1);
  }
  return copy;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null || value instanceof Error || value instanceof Date) return value;
  if (depth > maxDepth) return "[too deep]";
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return value;
  return redactObject(value as Record<string, unknown>, depth);
}

// Bearer and basic credentials, JSON Web Tokens, API keys of ours, user:password@ in URLs, password=… in texts and queries (and
// "password":"…" in JSON quoted inside a text), PEM private keys.
const secretText = new RegExp(
  [
    String.raw`(?<scheme>\b(?:Bearer|Basic)\s+)[\w.~+/=-]{8,}`,
    String.raw`(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*`,
    String.raw`(?<![\w-])gw_[0-9A-Za-z]{20,}`,
    String.raw`(?<slashes>:\/\/)[^\s:@/"]*:[^\s@/"]+(?<at>@)`,
    String.raw`(?<name>(?:password|passwd|secret|token|api[-_]?key)(?:=|\\":\s*\\"))[^\s&"\\,;]+`,
    String.raw`-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----BEGIN).)*?-----END [A-Z ]*PRIVATE KEY-----`,
  ].join("|"),
  "gis",
);

/** Replaces what looks like a credential inside a text. */
export function redactText(text: string): string {
  return text.replace(secretText, (...args) => {
    const { scheme, slashes, name, at } = args.at(-1) as Record<string, string | undefined>;
    return `${scheme ?? slashes ?? name ?? ""}${replacement}${at ?? ""}`;
  });
}
