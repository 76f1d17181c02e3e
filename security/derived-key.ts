// Keys for one purpose each, from the master keys: what leaks of one says nothing of another. The secret MasterKey may
// hold several, the present one first: it makes what is new, the others only read what was made before, until that has
// been made anew (a keyset with a primary, as in https://developers.google.com/tink/design/keysets).
import { hkdfSync } from "node:crypto";
import { cfg } from "../config";

const MASTER_KEY_MIN_CHARS = 32;
const MASTER_KEYS_MAX = 10;
const KEY_ID_BYTES = 4;

/** Tests load no service, so nobody hands them the secret; their databases hold nothing. */
export const masterKeyOfTests: (() => string) | undefined =
  cfg.env === "test" ? () => "the-test-databases-master-key-which-protects-nothing" : undefined;

export class MasterKeyError extends Error {
  override readonly name = "MasterKeyError";
}

const REMEDY = `a random one has at least ${MASTER_KEY_MIN_CHARS} characters, for example from "openssl rand -base64 32"`;

/**
 * The master keys in the text of the secret, the present one first: separated by commas, blanks or line ends, so that a
 * file with one key a line will do. Throws MasterKeyError when there is none, one too short to be random, or too many.
 */
export function masterKeysIn(secret: string): readonly [string, ...string[]] {
  const [present, ...before] = new Set(secret.split(/[\s,]+/).filter((key) => key !== ""));
  if (present === undefined) throw new MasterKeyError(`the secret MasterKey is not set: ${REMEDY}`);
  const keys: [string, ...string[]] = [present, ...before];
  for (const key of keys) {
    assertLongEnough(key);
    // Whoever reads the file would know the key.
    if (key.includes("vault:v"))
      throw new MasterKeyError(
        "the secret MasterKey holds a ciphertext that no transit engine has opened: give it without quotes, and see config/README.md",
      );
  }
  if (keys.length > MASTER_KEYS_MAX)
    throw new MasterKeyError(
      `the secret MasterKey holds more than ${MASTER_KEYS_MAX} keys: remove those that nothing needs`,
    );
  return keys;
}

/**
 * A 256-bit key for one purpose, from one master key (HKDF-SHA-256, RFC 5869).
 * Throws MasterKeyError when the master key is missing or too short to be random.
 */
export function deriveKey(masterKey: string, purpose: string): Buffer {
  assertLongEnough(masterKey);
  return Buffer.from(hkdfSync("sha256", masterKey, "groundwork", purpose, 32));
}

/** Names a key, of any kind, without telling anything of it: what was made with it says so. */
export function keyIdOf(key: string | Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", key, "groundwork", "key id", KEY_ID_BYTES));
}

function assertLongEnough(masterKey: string): void {
  if (masterKey.length >= MASTER_KEY_MIN_CHARS) return;
  const fault =
    masterKey === ""
      ? "is not set"
      : `holds a key shorter than ${MASTER_KEY_MIN_CHARS} characters (several are separated by commas or blanks)`;
  throw new MasterKeyError(`the secret MasterKey ${fault}: ${REMEDY}`);
}
