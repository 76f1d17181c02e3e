// Secrets at rest: AES-256-GCM under a key derived from the master key. One envelope is
// version (1 byte) · nonce (12) · ciphertext · tag (16); the context (what the secret is for) is authenticated,
// so an envelope moved to another row does not open.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
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
