// Signed URLs, in the shape of Google's V4 query parameters that Encore's local storage uses, with a key of our
// own: an HMAC over the method, the path, the time and the life of the URL.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type SignedMethod = "GET" | "PUT";

const ALGORITHM = "GOOG4-HMAC-SHA256";
const base32 = "0123456789abcdefghijklmnopqrstuv";

/** Made on first use and kept beside the objects, so that every process that shares them shares it. */
export function loadSigningKey(objectsDir: string): Buffer {
  const file = join(objectsDir, ".signing-key");
  if (!existsSync(file)) {
    mkdirSync(objectsDir, { recursive: true });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, randomBytes(32).toString("hex"), { mode: 0o600 });
    try {
      linkSync(draft, file); // fails when another process was first: its key counts
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }
  return Buffer.from(readFileSync(file, "utf8").trim(), "hex");
}

/** First part of the path of every bucket URL: 20 characters that no route of an app has by chance. */
export function namespaceOf(key: Buffer): string {
  const bytes = createHmac("sha256", key).update("namespace").digest();
  return Array.from(bytes.subarray(0, 20), (byte) => base32[byte & 31]).join("");
}

const compactTime = (at: Date): string => at.toISOString().replace(/[-:]|\.\d{3}/g, "");

function parseCompactTime(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  return match ? Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`) : Number.NaN;
}

function signature(key: Buffer, method: string, path: string, query: URLSearchParams): string {
  const parts = ["X-Goog-Algorithm", "X-Goog-Credential", "X-Goog-Date", "X-Goog-Expires", "X-Goog-SignedHeaders"].map(
    (name) => query.get(name) ?? "",
  );
  return createHmac("sha256", key)
    .update([method, path, ...parts].join("\n"))
    .digest("hex");
}

/** Query string that permits `method` on the encoded `path` for `ttlSeconds` from `now`. */
export function signedQuery(key: Buffer, method: SignedMethod, path: string, ttlSeconds: number, now: Date): string {
  const query = new URLSearchParams({
    "X-Goog-Algorithm": ALGORITHM,
    "X-Goog-Credential": `groundwork/${compactTime(now).slice(0, 8)}/auto/storage/goog4_request`,
    "X-Goog-Date": compactTime(now),
    "X-Goog-Expires": String(ttlSeconds),
    "X-Goog-SignedHeaders": "host",
  });
  query.set("X-Goog-Signature", signature(key, method, path, query));
  return query.toString();
}

/** Whether the URL's signature is ours, for this method and path, and still good. */
export function isSignatureGood(
  key: Buffer,
  method: string,
  path: string,
  query: URLSearchParams,
  nowMs: number,
): boolean {
  const given = Buffer.from(query.get("X-Goog-Signature") ?? "", "hex");
  const expected = Buffer.from(signature(key, method, path, query), "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
  const signedAt = parseCompactTime(query.get("X-Goog-Date") ?? "");
  const ttlSeconds = Number(query.get("X-Goog-Expires"));
  return nowMs < signedAt + ttlSeconds * 1000;
}
