// The text of an API key: gw_ · 256 random bits in 43 characters of base 62 · their CRC-32 in 6. The prefix lets scanners
// of leaked secrets find it, the checksum lets them and us tell it from other texts without asking the database; letters
// and digits alone, so that a double click selects it whole.
// Source of the form: https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

export const KEY_PREFIX = "gw_";
const SECRET_CHARS = 43;
const CHECK_CHARS = 6;
/** Shown in lists: enough to tell keys apart, far too little to guess the rest. */
const SHOWN_CHARS = KEY_PREFIX.length + 6;
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function inBase62(value: bigint, chars: number): string {
  let text = "";
  for (let rest = value; rest > 0n; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text;
  return text.padStart(chars, "0");
}

const checksumOf = (text: string): string => inBase62(BigInt(crc32(text)), CHECK_CHARS);

export interface NewKeyText {
  text: string;
  prefix: string;
  hash: Buffer;
}

export function createKeyText(random: Buffer = randomBytes(32)): NewKeyText {
  const body = KEY_PREFIX + inBase62(BigInt(`0x${random.toString("hex")}`), SECRET_CHARS);
  const text = body + checksumOf(body);
  return { text, prefix: text.slice(0, SHOWN_CHARS), hash: hashKeyText(text) };
}

/** Whether the text has the form and checksum of a key: most of what is no key ends here. */
export function isKeyText(text: string): boolean {
  if (text.length !== KEY_PREFIX.length + SECRET_CHARS + CHECK_CHARS || !text.startsWith(KEY_PREFIX)) return false;
  return checksumOf(text.slice(0, -CHECK_CHARS)) === text.slice(-CHECK_CHARS);
}

/** Of the digest's bytes: enough to tell the secrets of one key apart, and too little to look one up by. */
export const DIGEST_SHOWN_BYTES = 8;

export const hashKeyText = (text: string): Buffer => createHash("sha256").update(text).digest();
