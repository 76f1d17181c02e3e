// Whether a webhook that came in was signed by whom we share a secret with, and lately. Three schemes:
//   standard   `id.timestamp.body` by HMAC-SHA256 or ed25519 (github.com/standard-webhooks/standard-webhooks)
//   stripe     `timestamp.body` by HMAC-SHA256, hexadecimal (docs.stripe.com/webhooks#verify-manually)
//   github     the body alone by HMAC-SHA256 (docs.github.com/webhooks, "Validating webhook deliveries"): it has no time, and its
//              delivery's id is not signed, so what is known again is the body
// Everything is compared in constant time, over all secrets and all signatures, so that nothing tells which one came near.
import { createHash, createHmac, timingSafeEqual, verify } from "node:crypto";
import { hasControlCharacter } from "../../security/control-characters";
import { isWellFormed } from "../../security/well-formed";
import { keyBytes, publicKeyFrom } from "./signing";

export type Scheme = "standard" | "stripe" | "github";

export interface Incoming {
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
}

export interface Verified {
  /** What is signed of it tells it apart: the same again is a duplicate. */
  dedupeKey: string;
  /** As its sender calls it. */
  messageId: string;
}

const TOLERANCE_SECONDS = 300;
const SIGNATURES_MAX = 16;
/** By ed25519: each costs a hash of the whole text, from whoever comes. */
const KEY_SIGNATURES_MAX = 4;
const ID_CHARS_MAX = 255;

/** Undefined when it is to be refused, whatever of it is wrong. `nowSeconds` is the database's. */
export function verifyIncoming(
  scheme: Scheme,
  secrets: readonly string[],
  incoming: Incoming,
  nowSeconds: number,
): Verified | undefined {
  return schemes[scheme](secrets, incoming, nowSeconds);
}

type Verifier = (secrets: readonly string[], incoming: Incoming, nowSeconds: number) => Verified | undefined;

const headerOf = ({ headers }: Incoming, name: string): string => {
  const value = headers[name];
  return typeof value === "string" ? value : "";
};

const isDigits = (text: string): boolean => text !== "" && [...text].every((digit) => digit >= "0" && digit <= "9");

/** NaN for what is no whole number of seconds that is near enough. */
function timestampOf(text: string, nowSeconds: number): number {
  const timestamp = isDigits(text) ? Number(text) : NaN;
  return Math.abs(nowSeconds - timestamp) <= TOLERANCE_SECONDS ? timestamp : NaN;
}

const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("base64url");

/** Whatever their lengths: by their digests. */
function isEqual(one: string, other: string): boolean {
  return timingSafeEqual(createHash("sha256").update(one).digest(), createHash("sha256").update(other).digest());
}

/** All are looked at, whichever fits. */
const isAny = (judged: readonly boolean[]): boolean => judged.reduce((any, one) => any || one, false);

const standard: Verifier = (secrets, incoming, nowSeconds) => {
  const id = headerOf(incoming, "webhook-id");
  const timestamp = timestampOf(headerOf(incoming, "webhook-timestamp"), nowSeconds);
  // Neither is a secret, and what is signed may be large.
  if (id === "" || id.length > ID_CHARS_MAX || Number.isNaN(timestamp)) return undefined;
  const offered = headerOf(incoming, "webhook-signature").split(" ").slice(0, SIGNATURES_MAX);
  const text = Buffer.concat([Buffer.from(`${id}.${headerOf(incoming, "webhook-timestamp")}.`), incoming.body]);
  return isAny(secrets.flatMap((secret) => judge(secret, offered, text)))
    ? { dedupeKey: `id:${id}`, messageId: id }
    : undefined;
};

/** The text is gone through once for a shared secret, and for a public key once for each signature by one. */
function judge(secret: string, offered: readonly string[], text: Buffer): boolean[] {
  if (!secret.startsWith("whpk_")) {
    const expected = `v1,${createHmac("sha256", keyBytes(secret, "whsec_")).update(text).digest("base64")}`;
    return offered.map((signature) => isEqual(signature, expected));
  }
  const key = publicKeyFrom(secret);
  const byKeys = offered.filter((signature) => signature.startsWith("v1a,")).slice(0, KEY_SIGNATURES_MAX);
  return byKeys.map((signature) => verify(null, text, key, Buffer.from(signature.slice(4), "base64")));
}

const stripe: Verifier = (secrets, incoming, nowSeconds) => {
  const fields = headerOf(incoming, "stripe-signature").split(",").slice(0, SIGNATURES_MAX);
  const valuesOf = (name: string): string[] =>
    fields.flatMap((field) => (field.startsWith(`${name}=`) ? [field.slice(name.length + 1)] : []));
  const [stamp = ""] = valuesOf("t");
  if (Number.isNaN(timestampOf(stamp, nowSeconds))) return undefined;
  const text = Buffer.concat([Buffer.from(`${stamp}.`), incoming.body]);
  const judged = secrets.flatMap((secret) => {
    const expected = createHmac("sha256", secret).update(text).digest("hex");
    return valuesOf("v1").map((signature) => isEqual(signature, expected));
  });
  if (!isAny(judged)) return undefined;
  const id = idIn(incoming.body);
  return { dedupeKey: id === undefined ? `body:${digestOf(incoming.body)}` : `id:${id}`, messageId: id ?? "" };
};

/** The `id` of a body of JSON, if it is one that can be stored. */
function idIn(body: Buffer): string | undefined {
  try {
    const { id } = JSON.parse(body.toString()) as { id?: unknown };
    if (typeof id !== "string" || id === "" || id.length > ID_CHARS_MAX) return undefined;
    return isWellFormed(id) && !hasControlCharacter(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

const github: Verifier = (secrets, incoming) => {
  const signature = headerOf(incoming, "x-hub-signature-256");
  const judged = secrets.map((secret) =>
    isEqual(signature, `sha256=${createHmac("sha256", secret).update(incoming.body).digest("hex")}`),
  );
  if (!isAny(judged)) return undefined;
  const messageId = headerOf(incoming, "x-github-delivery").slice(0, ID_CHARS_MAX);
  return { dedupeKey: `body:${digestOf(incoming.body)}`, messageId };
};

const schemes: Readonly<Record<Scheme, Verifier>> = { standard, stripe, github };
