// Signatures of webhooks that leave, as the Standard Webhooks specification has them (github.com/standard-webhooks/standard-webhooks,
// spec/standard-webhooks.md): `id.timestamp.body`, signed by HMAC-SHA256 (`v1`) and by ed25519 (`v1a`), one signature for each
// key that is good, with spaces between, so that a receiver may be on either side of a rotation.
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from "node:crypto";

const SECRET_PREFIX = "whsec_";
const PRIVATE_PREFIX = "whsk_";
const PUBLIC_PREFIX = "whpk_";
/** The specification asks for 24 to 64. */
const SECRET_BYTES = 32;
const ED25519_BYTES = 32;
/** What stands before a key of 32 bytes in PKCS #8 and in SubjectPublicKeyInfo (RFC 8410 §7, §4). */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

export interface SigningKeys {
  /** `whsec_` and base64. */
  secret: string;
  /** `whsk_` and base64. */
  privateKey: string;
}

export interface SignedParts {
  /** The same over all attempts: receivers know by it what they have had. */
  id: string;
  /** Seconds since 1970, of this attempt. */
  timestamp: number;
  body: string;
}

export function createSigningKeys(): SigningKeys {
  const pkcs8 = generateKeyPairSync("ed25519").privateKey.export({ format: "der", type: "pkcs8" });
  return {
    secret: SECRET_PREFIX + randomBytes(SECRET_BYTES).toString("base64"),
    privateKey: PRIVATE_PREFIX + pkcs8.subarray(-ED25519_BYTES).toString("base64"),
  };
}

/** What a receiver verifies `v1a` by: `whpk_` and base64. */
export function publicKeyOf({ privateKey }: SigningKeys): string {
  const spki = createPublicKey(ed25519Of(privateKey)).export({ format: "der", type: "spki" });
  return PUBLIC_PREFIX + spki.subarray(-ED25519_BYTES).toString("base64");
}

/** A key in its text, without what stands before it. @throws TypeError for one of another kind */
export function keyBytes(text: string, prefix: "whsec_" | "whsk_" | "whpk_"): Buffer {
  if (!text.startsWith(prefix)) throw new TypeError(`a key that does not begin with ${prefix}`);
  return Buffer.from(text.slice(prefix.length), "base64");
}

const ed25519Of = (privateKey: string): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([PKCS8_HEAD, keyBytes(privateKey, PRIVATE_PREFIX)]),
    format: "der",
    type: "pkcs8",
  });

/** Of `whpk_` text. @throws TypeError */
export function publicKeyFrom(text: string): KeyObject {
  const key = keyBytes(text, PUBLIC_PREFIX);
  if (key.length !== ED25519_BYTES) throw new TypeError("a public key that has not 32 bytes");
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, key]), format: "der", type: "spki" });
}

export const signedText = ({ id, timestamp, body }: SignedParts): string => `${id}.${timestamp}.${body}`;

/** The three headers; the newest keys first. */
export function signatureHeaders(keys: readonly SigningKeys[], parts: SignedParts): Record<string, string> {
  const text = Buffer.from(signedText(parts));
  const signatures = keys.flatMap(({ secret, privateKey }) => [
    `v1,${createHmac("sha256", keyBytes(secret, SECRET_PREFIX)).update(text).digest("base64")}`,
    `v1a,${sign(null, text, ed25519Of(privateKey)).toString("base64")}`,
  ]);
  return {
    "webhook-id": parts.id,
    "webhook-timestamp": String(parts.timestamp),
    "webhook-signature": signatures.join(" "),
  };
}
