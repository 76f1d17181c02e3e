// What an e-mail address is, for whoever stores one and for whoever mails to it: whatever is accepted at registration can be
// written into an envelope as it stands, so that nobody has an address to which no mail ever comes.
import { domainToASCII, domainToUnicode } from "node:url";
import { hasControlCharacter } from "../security/control-characters";

/** RFC 5321 §4.5.3.1: of the local part, and of a path without its brackets. In octets, also where letters take several (RFC 6531). */
const LOCAL_OCTETS_MAX = 64;
const OCTETS_MAX = 254;
/**
 * In UTF-16 units, before a text is folded: putting combining marks in order takes the square of their number, and so
 * does IDNA. Composing makes four units one at most, so nothing longer than this becomes an address.
 */
const WRITTEN_UNITS_MAX = 4 * OCTETS_MAX;
/** With which `domainToASCII` would end the name, or decode it: another address than the one that was written. */
const NOT_OF_NAMES = ["/", "?", "#", "\\", ":", "%"];

/**
 * Words with single dots between them, each of letters of every script and the signs of RFC 5322 (atext; RFC 6531). No quoting,
 * which is where two recipients hide in one.
 */
const LOCAL =
  /^[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-][\p{L}\p{M}\p{N}\u200c\u200d!#$%&'*+/=?^_`{|}~-]*(?:\.[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-][\p{L}\p{M}\p{N}\u200c\u200d!#$%&'*+/=?^_`{|}~-]*)*$/u;
/** Nobody sees it, so two addresses would look like one. */
const UNSEEN = /(?![\u200c\u200d])\p{Default_Ignorable_Code_Point}/u;
/** Joiners belong between letters of scripts that have no capitals (RFC 5892 A.1, A.2, which names them one by one). */
const LOOSE_JOINER = /(?<![\p{Lo}\p{M}])[\u200c\u200d]|[\u200c\u200d](?![\p{Lo}\p{M}])/u;
/** As the DNS has it (RFC 1035 §2.3): labels of other scripts are `xn--…`. */
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
/** What tells a name from an address of IPv4 (RFC 3696 §2). */
const TOP_LEVEL = /^[A-Za-z].*[A-Za-z0-9]$/;

/** Whether mail servers take it as it stands. */
export function isEmail(text: string): boolean {
  if (text.length > OCTETS_MAX) return false;
  const at = text.lastIndexOf("@");
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || Buffer.byteLength(local) > LOCAL_OCTETS_MAX || !LOCAL.test(local)) return false;
  if (UNSEEN.test(local) || LOOSE_JOINER.test(local)) return false;
  const labels = domain.split(".");
  if (labels.length < 2 || !labels.every(isLabel)) return false;
  if (!TOP_LEVEL.test(labels.at(-1) ?? "") || domainToASCII(domain) !== domain.toLowerCase()) return false;
  return pathOctets(local, domain) <= OCTETS_MAX;
}

/** Where no label of any script has hyphens (RFC 5891 §4.2.3.1): URLs allow them, mail servers don't. */
const MISPLACED_HYPHEN = /^-|-$|^..--/u;

/** One that says of itself to be of another script is: Node 24 leaves it as it stands where it is of none, and no mail server does. */
function isLabel(label: string): boolean {
  if (!LABEL.test(label)) return false;
  if (!/^xn--/i.test(label)) return true;
  const letters = domainToUnicode(label);
  if (MISPLACED_HYPHEN.test(letters)) return false;
  return letters !== label && domainToASCII(letters) === label.toLowerCase();
}

/** Beside a local part that needs SMTPUTF8 the domain is sent in its own script too, which may be the longer spelling. */
function pathOctets(local: string, domain: string): number {
  const ofDomain = Buffer.byteLength(domain);
  const ofLocal = Buffer.byteLength(local);
  const sent = ofLocal === local.length ? ofDomain : Math.max(ofDomain, Buffer.byteLength(domainToUnicode(domain)));
  return ofLocal + 1 + sent;
}

/**
 * One spelling per mailbox, by which accounts are found: NFKC, trimmed, lower case, domain in ASCII (IDNA). Lower-casing the
 * local part joins what RFC 5321 would let a mail server tell apart; none in use does, and two accounts by case alone only serve
 * impostors. Undefined for what has no spelling and could not be stored; what has one need not be an address.
 */
export function spellEmail(text: string): string | undefined {
  const folded = foldCase(text.trim());
  if (folded === undefined || hasControlCharacter(folded)) return undefined;
  const at = folded.lastIndexOf("@");
  const written = folded.slice(at + 1);
  if (at < 1 || NOT_OF_NAMES.some((mark) => written.includes(mark))) return undefined;
  const domain = domainToASCII(written);
  return domain === "" ? undefined : `${folded.slice(0, at)}@${domain}`;
}

/** A small letter may be composed where its capital is not (J and a caron): composed again, or the result would be spelled otherwise the next time. */
function foldCase(text: string): string | undefined {
  if (text.length > WRITTEN_UNITS_MAX) return undefined;
  const folded = text.normalize("NFKC").trim().toLowerCase();
  // One letter may become eighteen.
  return folded.length > WRITTEN_UNITS_MAX ? undefined : folded.normalize("NFKC");
}

/** The address in its one spelling; undefined when the text is none. */
export function parseEmail(text: string): string | undefined {
  const email = spellEmail(text);
  return email !== undefined && isEmail(email) ? email : undefined;
}
