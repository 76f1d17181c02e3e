// Names of domains, spelled as in the addresses of accounts (mail/email.ts), and the record that shows whose one is. Subdomains
// are domains of their own: who has example.com verified says nothing of people at eu.example.com.
// Sources: RFC 1035 §2.3 (labels), RFC 8552 (names with an underscore), and for a name of one's own with a random value
// draft-ietf-dnsop-domain-verification-techniques.
import { parseEmail } from "../../mail/email";

const PREFIX = "_groundwork-challenge.";
const VALUE_PREFIX = "groundwork-domain-verification=";
const NAME_CHARS_MAX = 253;

/** What stands behind the @ of a normalised address. */
export const domainOf = (email: string): string => email.slice(email.lastIndexOf("@") + 1);

/** Of a domain's name, its last label. */
export const topLevelOf = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

/** In the spelling of addresses; undefined for what is no domain below a top-level one. */
export function parseDomain(text: string): string | undefined {
  const trimmed = text.trim();
  const email = parseEmail(`x@${trimmed.endsWith(".") ? trimmed.slice(0, -1) : trimmed}`);
  if (email === undefined) return undefined;
  const name = domainOf(email);
  return PREFIX.length + name.length <= NAME_CHARS_MAX ? name : undefined;
}

export interface TxtRecord {
  name: string;
  value: string;
}

export const recordOf = (name: string, token: string): TxtRecord => ({
  name: `${PREFIX}${name}`,
  value: `${VALUE_PREFIX}${token}`,
});

/** Whether the texts of a name are a record of this token: control panels add blanks. */
export const shows = (texts: readonly string[], token: string): boolean =>
  texts.some((text) => text.trim() === `${VALUE_PREFIX}${token}`);
