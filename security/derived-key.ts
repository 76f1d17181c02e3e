// Keys for one purpose each, from the one master key: what leaks of one says nothing of another.
import { hkdfSync } from "node:crypto";

const MASTER_KEY_MIN_CHARS = 32;

export class MasterKeyError extends Error {
  override readonly name = "MasterKeyError";
}

/**
 * A 256-bit key for one purpose, from the master key (HKDF-SHA-256, RFC 5869).
 * Throws MasterKeyError when the master key is missing or too short to be random.
 */
export function deriveKey(masterKey: string, purpose: string): Buffer {
  if (masterKey.length < MASTER_KEY_MIN_CHARS) {
    throw new MasterKeyError(
      `the secret MasterKey is ${masterKey === "" ? "not set" : `shorter than ${MASTER_KEY_MIN_CHARS} characters`}: set it to a random one, for example from "openssl rand -base64 32"`,
    );
  }
  return Buffer.from(hkdfSync("sha256", masterKey, "groundwork", purpose, 32));
}
