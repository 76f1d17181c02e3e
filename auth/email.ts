// One spelling per mailbox: what is stored, compared and counted.
import { domainToASCII } from "node:url";

const MAX_CHARS = 254;
/**
 * In UTF-16 units, before anything else is done: putting combining marks in order takes the square of their number, and so
 * does IDNA. Composing makes four units one at most, so nothing longer than this becomes an address.
 */
const WRITTEN_UNITS_MAX = 4 * MAX_CHARS;
/** With which `domainToASCII` would end the name, or decode it: another address than the one that was written. */
const NOT_OF_NAMES = ["/", "?", "#", "\\", ":", "%"];
const SHAPE = /^[^\s@\u0000-\u001f\u007f]{1,64}@[a-z0-9.-]+\.[a-z0-9-]+$/;

/**
 * NFKC, trimmed, lower case, domain in ASCII (IDNA). Lower-casing the local part joins what RFC 5321 would
 * let a mail server tell apart; none in use does, and two accounts by case alone only serve impostors.
 * Undefined when the text is no address.
 */
export function normaliseEmail(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed.length > WRITTEN_UNITS_MAX) return undefined;
  const folded = trimmed.normalize("NFKC").trim().toLowerCase();
  // One letter may become eighteen.
  if (folded.length > WRITTEN_UNITS_MAX) return undefined;
  const at = folded.lastIndexOf("@");
  const written = folded.slice(at + 1);
  if (NOT_OF_NAMES.some((mark) => written.includes(mark))) return undefined;
  const domain = domainToASCII(written);
  const email = `${folded.slice(0, at)}@${domain}`;
  return at > 0 && domain !== "" && email.length <= MAX_CHARS && SHAPE.test(email) ? email : undefined;
}
