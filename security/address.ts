// One spelling for each network address. Proxies write the same client in many ways (with a port, in brackets,
// IPv4 inside IPv6, upper case, leading zeros); whatever counts or compares callers compares this one spelling.
// Sources: RFC 5952 (text of IPv6), RFC 4291 §2.5.5.2 (IPv4-mapped), RFC 6052 §2.1 (64:ff9b::/96), RFC 7239 §6 (ports).
import { BlockList, isIP, SocketAddress } from "node:net";

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
 * The key under which limits count a canonical address: an IPv6 caller owns at least a /64, so that is what is counted.
 */
export function limitKeyOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head, tail] = address.split("::") as [string, string?];
  const left = head === "" ? [] : head.split(":");
  // Only groups of the first half matter; behind "::" they stand when it stands for fewer than what is missing.
  const right = tail === undefined ? [] : tail.split(":");
  const zeros = Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill("0"), ...right];
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/**
 * The keys of the networks that whoever comes by a key of limitKeyOf may have whole, the narrowest first. Sites are given an IPv6
 * /56 or a /48 (RFC 6177), an IPv4 /24 is the least that is routed. What is no address has none around it.
 */
export function networksAround(limitKey: string): string[] {
  const ipv4 = /^(\d+\.\d+\.\d+)\.\d+$/.exec(limitKey);
  if (ipv4 !== null) return [limitKey, `${ipv4[1]}.0/24`];
  const ipv6 = /^([\da-f]+:[\da-f]+:[\da-f]+):([\da-f]+)::\/64$/.exec(limitKey);
  if (ipv6 === null) return [limitKey];
  const [, site, subnet = "0"] = ipv6;
  return [limitKey, `${site}:${(Number.parseInt(subnet, 16) & 0xff00).toString(16)}::/56`, `${site}::/48`];
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

/** Networks (`10.0.0.0/8`, `::1`) as something to look addresses up in. */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [text, prefixText] = network.split("/") as [string, string?];
    const address = parseAddress(text);
    if (address === undefined) throw new TypeError("a network begins with an address");
    const isV6 = address.includes(":");
    const family = isV6 ? "ipv6" : "ipv4";
    if (prefixText === undefined) list.addAddress(address, family);
    else {
      const prefix = prefixOf(Number(prefixText), isV6, text);
      if (prefix < 0) throw new TypeError("a network of IPv4 inside IPv6 has a prefix of 96 or more");
      list.addSubnet(address, prefix, family);
    }
  }
  return list;
}

/** A prefix written for IPv4 inside IPv6 (`::ffff:10.0.0.0/104`) counts from the IPv4 part on; below 0 it is none. */
function prefixOf(prefix: number, isV6: boolean, text: string): number {
  return !isV6 && text.includes(":") ? prefix - 96 : prefix;
}

/** Whether `address`, in any spelling, lies in `list`. */
export function isInNetworks(list: BlockList, address: string): boolean {
  const plain = parseAddress(address);
  return plain !== undefined && list.check(plain, plain.includes(":") ? "ipv6" : "ipv4");
}
