// Secrets at rest: AES-256-GCM under a key derived from the master key. One envelope is
// version (1 byte) · nonce (12) · ciphertext · tag (16); the context (what the secret is for) is authenticated,
// so an envelope moved to another row does not open.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MASTER_KEY_MIN_CHARS = 32;

export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
}

/**
 * A 256-bit key for one purpose, from the master key (HKDF-SHA-256, RFC 5869).
 * Throws EnvelopeError when the master key is missing or too short to be random.
 */
export function deriveKey(masterKey: string, purpose: string): Buffer {
  if (masterKey.length < MASTER_KEY_MIN_CHARS) {
    throw new EnvelopeError(
      `the secret MasterKey is ${masterKey === "" ? "not set" : `shorter than ${MASTER_KEY_MIN_CHARS} characters`}: set it to a random one, for example from "openssl rand -base64 32"`,
    );
  }
  return Buffer.from(hkdfSync("sha256", masterKey, "groundwork", purpose, 32));
}

export function seal(key: Buffer, plain: Buffer, context: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
  return Buffer.concat([Buffer.of(VERSION), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws EnvelopeError when the envelope was made with another key or context, or was changed. */
export function open(key: Buffer, envelope: Buffer, context: string): Buffer {
  if (envelope[0] !== VERSION || envelope.length < 1 + NONCE_BYTES + TAG_BYTES)
    throw new EnvelopeError("not an envelope of a known version");
  const nonce = envelope.subarray(1, 1 + NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES }).setAAD(
    Buffer.from(context),
  );
  decipher.setAuthTag(envelope.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(envelope.subarray(1 + NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new EnvelopeError("the envelope does not open: the master key is not the one it was sealed with", { cause });
  }
}
