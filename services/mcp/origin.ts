// By which names this API is called. DNS rebinding: a page whose host name suddenly leads to this machine talks to it as to its own
// origin, so that Origin and Host agree; but its name is then neither one that the configuration knows nor one of the loopback, which
// no other site can have. A browser's request from any other origin is refused (MCP 2025-11-25, "Streamable HTTP", security warning;
// GHSA-w48q-cv73-mx4w). Programs send no Origin, and need a key all the same.

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

const NOWHERE = "http://nowhere.invalid";
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** @param configured addresses of this app */
export function isForeignOrigin(headers: Headers, configured: readonly string[]): boolean {
  const { origin } = headers;
  if (origin === undefined || origin === "") return false;
  if (typeof origin !== "string" || !URL.canParse(origin)) return true;
  const from = new URL(origin);
  if (configured.some((address) => URL.canParse(address) && new URL(address).origin === from.origin)) return false;
  return !LOOPBACK.has(from.hostname) || from.host !== new URL(addressOf(headers, NOWHERE)).host;
}

/**
 * Where documents are, for the client that reads it: as it is configured, because a proxy that ends TLS is seen from here as plain
 * HTTP. On a developer's machine, where it is not, as it was called.
 */
export function toldAddress(headers: Headers, configured: string): string {
  const isPlaced = URL.canParse(configured) && !LOOPBACK.has(new URL(configured).hostname);
  return isPlaced ? new URL(configured).origin : addressOf(headers, configured);
}

/** As the client called it: behind a proxy that is another address than the configuration has. It is told to nobody else. */
export function addressOf(headers: Headers, otherwise: string): string {
  const host = headers["x-forwarded-host"] ?? headers.host;
  const address = `${headers["x-forwarded-proto"] === "https" ? "https" : "http"}://${String(host)}`;
  return typeof host === "string" && URL.canParse(address) ? new URL(address).origin : otherwise;
}
