// Secrets at rest: AES-256-GCM (NIST SP 800-38D). One envelope is
//   version (1 byte) · id of its key (4) · nonce (12) · ciphertext · tag (16)
// The first two and the context (what the secret is for) are authenticated, so an envelope that was moved to another row
// does not open. The id says which of several keys opens it, as in Tink's ciphertexts and Vault's transit
// (https://developers.google.com/tink/wire-format, https://developer.hashicorp.com/vault/docs/secrets/transit): a key can be
// replaced while what it sealed is still there. Nonces are random: no key may seal more than 2^32 times (SP 800-38D §8.3),
// and none here comes near, because what tenants bring is sealed by a key of their own.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { deriveKey, keyIdOf, masterKeysIn } from "./derived-key";

const VERSION = 2;
const ID_BYTES = 4;
const HEAD_BYTES = 1 + ID_BYTES;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What is around a secret. */
export const ENVELOPE_BYTES = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
}

export interface SealingKey {
  /** Four bytes that say nothing of the key. */
  id: Buffer;
  key: Buffer;
}

/** The first seals, all of them open. */
export type Keyset = readonly [SealingKey, ...SealingKey[]];

const derived = new Map<string, { from: string; keyset: Keyset }>();

/** For one purpose (a constant), of the master keys in the secret. @throws MasterKeyError */
export function masterKeyset(secret: string, purpose: string): Keyset {
  const known = derived.get(purpose);
  if (known?.from === secret) return known.keyset;
  const [present, ...before] = masterKeysIn(secret);
  const sealingKey = (masterKey: string): SealingKey => ({
    id: keyIdOf(masterKey),
    key: deriveKey(masterKey, purpose),
  });
  const keyset: Keyset = [sealingKey(present), ...before.map(sealingKey)];
  derived.set(purpose, { from: secret, keyset });
  return keyset;
}

/** Of one key that is no master key. */
export const keysetOf = (key: Buffer): Keyset => [{ id: keyIdOf(key), key }];

export function seal([{ id, key }]: Keyset, plain: Buffer, context: string): Buffer {
  const head = Buffer.concat([Buffer.of(VERSION), id]);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES }).setAAD(bound(head, context));
  return Buffer.concat([head, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws EnvelopeError when none of the keys made the envelope, for this context, or when it was changed. */
export function open(keyset: Keyset, envelope: Buffer, context: string): Buffer {
  const id = sealedBy(envelope);
  const used = keyset.find((candidate) => candidate.id.equals(id));
  if (used === undefined)
    throw new EnvelopeError(
      `the envelope was sealed with the key ${id.toString("hex")}, which is not among those that are set`,
    );
  const head = envelope.subarray(0, HEAD_BYTES);
  const nonce = envelope.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", used.key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(bound(head, context)).setAuthTag(envelope.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(envelope.subarray(HEAD_BYTES + NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new EnvelopeError("the envelope does not open: it was made for something else, or changed", { cause });
  }
}

/** The id of the key that opens it. @throws EnvelopeError when it is none. */
export function sealedBy(envelope: Buffer): Buffer {
  if (envelope[0] !== VERSION || envelope.length < ENVELOPE_BYTES)
    throw new EnvelopeError("not an envelope of a known version");
  return envelope.subarray(1, HEAD_BYTES);
}

const bound = (head: Buffer, context: string): Buffer => Buffer.concat([head, Buffer.from(context)]);
