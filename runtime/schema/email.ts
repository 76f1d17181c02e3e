// `IsEmail` (contract 3.7): RFC 5322 addresses without display name, quoted local parts and domain literals
// included. Beyond ASCII letters and digits are allowed, but no symbols, and none in quotes and literals. A domain
// needs no dot. (As email_address 0.2.9 does it.)

const MAX_LOCAL_BYTES = 64;
const MAX_DOMAIN_BYTES = 254;
const MAX_LABEL_BYTES = 63;

const ATOM = /^[\p{Alphabetic}\p{N}!#$%&'*+\-/=?^_`{|}~]+$/u;
const QUOTED = /^"(?:[ \t\u0021\u0023-\u005b\u005d-\u007e]|\\[\u0021-\u007e])+"$/;
const LITERAL = /^\[[\u0021-\u005a\u005e-\u007e]*\]$/;
/** ` <address>`: an empty display name is none. Any other is not allowed. */
const BRACKETED = /^\s* <([^]*)>\s*$/;
const EDGE = /^[\p{Alphabetic}\p{N}](?:.*[\p{Alphabetic}\p{N}])?$/su;

function isLocalPart(local: string): boolean {
  if (local === "" || Buffer.byteLength(local) > MAX_LOCAL_BYTES) return false;
  return local.startsWith('"') ? QUOTED.test(local) : local.split(".").every((atom) => ATOM.test(atom));
}

function isLabel(label: string): boolean {
  return EDGE.test(label) && ATOM.test(label) && Buffer.byteLength(label) <= MAX_LABEL_BYTES;
}

function isDomain(domain: string): boolean {
  if (domain === "" || Buffer.byteLength(domain) > MAX_DOMAIN_BYTES) return false;
  return domain.startsWith("[") ? LITERAL.test(domain) : domain.split(".").every(isLabel);
}

export function isEmail(address: string): boolean {
  const text = address.includes(" <") ? (BRACKETED.exec(address)?.[1] ?? "") : address;
  const at = text.lastIndexOf("@");
  return at > 0 && isLocalPart(text.slice(0, at)) && isDomain(text.slice(at + 1));
}
