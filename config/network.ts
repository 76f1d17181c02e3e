// One spelling for each network address, and for each network. Proxies write the same client in many ways (with a port, in brackets,
// IPv4 inside IPv6, upper case, leading zeros); whatever counts or compares callers compares this one spelling, and whoever names a
// network, in a variable or in a request, is read by this alone.
// Sources: RFC 5952 (text of IPv6), RFC 4291 §2.5.5.2 (IPv4-mapped), RFC 6052 §2.1 (64:ff9b::/96), RFC 7239 §6 (ports).
import { isIP, SocketAddress } from "node:net";

/** Longer than any address with zone, brackets and port; what is longer is none, and is not looked at. */
const ENTRY_CHARS_MAX = 128;

/** The canonical text of an address; undefined when `text` is none. IPv4 in IPv6 is IPv4; zone and port are dropped. */
export function parseAddress(text: string): string | undefined {
  if (text.length > ENTRY_CHARS_MAX) return undefined;
  const bare = withoutZone(withoutPort(unquoted(text.trim())));
  switch (isIP(bare)) {
    case 4:
      return bare;
    case 6:
      return embeddedIpv4(canonicalIpv6(bare));
    default:
      return decimalIpv4(bare) ?? paddedInIpv6(bare);
  }
}

function unquoted(text: string): string {
  return text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

/**
 * `[v6]`, `[v6]:port` and `v4:port` lose brackets and port, and so does IPv6 that ends as IPv4 does: no part of the
 * address stands behind its first dot and a colon. Other IPv6 without brackets has no port.
 */
function withoutPort(text: string): string {
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    const rest = text.slice(end + 1);
    return rest === "" || isPort(rest) ? text.slice(1, end) : text;
  }
  const dot = text.indexOf(".");
  const colon = dot < 0 ? -1 : text.indexOf(":", dot);
  return colon > 0 && isPort(text.slice(colon)) ? text.slice(0, colon) : text;
}

/** A port, which may be empty (RFC 3986 §3.2.3), or the token that RFC 7239 §6.3 allows in its place. */
const isPort = (text: string): boolean => /^:(?:\d{0,5}|_[\w.-]{1,32})$/.test(text);

function canonicalIpv6(address: string): string {
  return new SocketAddress({ address, family: "ipv6" }).address;
}

/** The name of an interface may have any characters (RFC 4007 §11.2), and only IPv6 addresses have one. */
function withoutZone(text: string): string {
  const zone = text.indexOf("%");
  const address = text.slice(0, zone);
  const isIpv6 = zone > 0 && (isIP(address) === 6 || paddedInIpv6(address) !== undefined);
  return isIpv6 && zone < text.length - 1 ? address : text;
}

const MAPPED = "::ffff:";
const NAT64 = "64:ff9b::";

/** The IPv4 address in a canonical IPv6 one that only carries it; else the address itself. */
function embeddedIpv4(address: string): string {
  if (address.startsWith(MAPPED) && address.includes(".")) return address.slice(MAPPED.length);
  if (!address.startsWith(NAT64)) return address;
  const groups = address.slice(NAT64.length).split(":");
  if (groups.length > 2) return address;
  const [low = 0, high = 0] = groups.map((group) => Number.parseInt(group, 16) || 0).reverse();
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** IPv4 padded with zeros (`203.000.113.009`), read as decimal. */
function decimalIpv4(text: string): string | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return undefined;
  const plain = text.split(".").map(Number).join(".");
  return isIP(plain) === 4 ? plain : undefined;
}

/** The same inside IPv6 (`::ffff:203.000.113.009`). */
function paddedInIpv6(text: string): string | undefined {
  const start = text.lastIndexOf(":") + 1;
  const inner = start > 0 ? decimalIpv4(text.slice(start)) : undefined;
  const plain = text.slice(0, start) + (inner ?? "");
  return inner !== undefined && isIP(plain) === 6 ? embeddedIpv4(canonicalIpv6(plain)) : undefined;
}

/**
 * A network in its one spelling (`203.0.113.0/24`; a single address has its full prefix); undefined when `text` is none.
 * Bits behind the prefix must be zero: whoever sets them means another network than they wrote (RFC 4632 §3.1). So must IPv4
 * inside IPv6 be whole: `64:ff9b::/32` is no network of IPv4 addresses, least of all that of them all.
 */
export function parseNetwork(text: string): string | undefined {
  const [addressText = "", prefixText, ...more] = text.trim().split("/");
  const address = parseAddress(addressText);
  if (address === undefined || more.length > 0) return undefined;
  const bits = address.includes(":") ? 128 : 32;
  if (prefixText === undefined) return `${address}/${bits}`;
  if (!/^\d{1,3}$/.test(prefixText)) return undefined;
  const prefix = prefixOf(Number(prefixText), bits === 128, addressText);
  if (prefix < 0 || prefix > bits || hasBitsBehind(address, prefix)) return undefined;
  return `${address}/${prefix}`;
}

/** Whether an address is not the first of its network. */
function hasBitsBehind(address: string, prefix: number): boolean {
  const bytes = address.includes(":") ? bytesOfIpv6(address) : address.split(".").map(Number);
  return bytes.some((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefix - index * 8));
    return (byte & (0xff >> kept)) !== 0;
  });
}

/** Of a canonical address. */
function bytesOfIpv6(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const groups = (text: string): number[] =>
    text === ""
      ? []
      : text.split(":").flatMap((group) => (group.includes(".") ? dottedGroups(group) : [Number.parseInt(group, 16)]));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 255]);
}

function dottedGroups(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return [(a << 8) | b, (c << 8) | d];
}

/** A prefix written for IPv4 inside IPv6 (`::ffff:10.0.0.0/104`) counts from the IPv4 part on; below 0 it is none. */
function prefixOf(prefix: number, isV6: boolean, text: string): number {
  return !isV6 && text.includes(":") ? prefix - 96 : prefix;
}
