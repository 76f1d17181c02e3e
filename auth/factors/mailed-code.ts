// A code by mail, for accounts that have nothing else to show here: no password and no second factor. It has as many random bits
// as a recovery code, is good once, for ten minutes, and in the session that asked: a code that somebody is talked into
// passing on is of no use elsewhere. NIST SP 800-63B-4 §3.1.3.1 does not take mail for a second factor, and nor is it
// one here: it shows no more than the mail by which the same person would set a password, and no less.
import { createHash } from "node:crypto";
import { hashRecoveryCode } from "./recovery-codes";

export const MAILED_CODE_SECONDS = 600;

/** What the store keeps; undefined for what is no code. */
export function hashMailedCode(sessionId: string, text: string): Buffer | undefined {
  const code = hashRecoveryCode(text);
  return code && createHash("sha256").update("mailed-code").update(sessionId).update(code).digest();
}
