// Codes for whoever lost their other factors ("look-up secrets", NIST SP 800-63B-4 §3.1.2), without database. One has 120
// random bits, so that what is kept of it need be no slow hash (ASVS 5.0 6.5.2 asks for 112); it is written in
// Crockford's base 32, which has no letters that look like digits, and read as people type it.
import { createHash, randomBytes } from "node:crypto";

export const CODES_PER_ACCOUNT = 10;
const CODE_BYTES = 15;
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LOOKALIKES: Readonly<Record<string, string>> = { O: "0", I: "1", L: "1" };

/** Six groups of four: "7K2M-…". */
export function createRecoveryCode(random = randomBytes(CODE_BYTES)): string {
  let bits = BigInt(`0x${random.toString("hex")}`);
  let text = "";
  for (let i = 0; i < (CODE_BYTES * 8) / 5; i++) {
    text = `${ALPHABET[Number(bits & 31n)] ?? ""}${text}`;
    bits >>= 5n;
  }
  return text.match(/.{4}/g)?.join("-") ?? text;
}

export const createRecoveryCodes = (): string[] =>
  Array.from({ length: CODES_PER_ACCOUNT }, () => createRecoveryCode());

/** What the store keeps of a code, however it is spelled; undefined for what is no code. */
export function hashRecoveryCode(text: string): Buffer | undefined {
  const code = text
    .toUpperCase()
    .replace(/[\s-]/g, "")
    .replace(/[OIL]/g, (letter) => LOOKALIKES[letter] ?? letter);
  return /^[0-9A-HJKMNP-TV-Z]{24}$/.test(code) ? createHash("sha256").update(code).digest() : undefined;
}
