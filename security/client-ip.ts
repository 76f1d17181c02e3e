// The caller's address. Every hop appends the peer it saw to X-Forwarded-For, so only the right end can be
// believed: reading from there, networks of our own proxies are passed over and the first other one is the caller.
import { BlockList, isIP } from "node:net";

import { cfg } from "../config";

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Networks (`10.0.0.0/8`, `::1`) as something to look addresses up in. */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

/** Whether `address` lies in `list`; IPv4 written as IPv6 (`::ffff:10.0.0.1`) counts as IPv4. */
export function isInNetworks(list: BlockList, address: string): boolean {
  const plain = plainAddress(address);
  const version = isIP(plain);
  return version !== 0 && list.check(plain, version === 6 ? "ipv6" : "ipv4");
}

const trusted = networkList(cfg.limits.trustedProxies);
const hasProxies = cfg.limits.trustedProxies.length > 0;

/**
 * The caller's address, or undefined when no hop named a valid one (calls between our own services).
 * @param headers request headers, names in lower case
 */
export function clientIp(headers: Headers): string | undefined {
  const forwarded = headers["x-forwarded-for"];
  if (forwarded === undefined) return undefined;
  const chain = Array.isArray(forwarded) ? forwarded.join(",") : forwarded;
  return hasProxies ? firstBeyond(trusted, chain) : validAddress(chain.slice(chain.lastIndexOf(",") + 1));
}

/** The rightmost address of `chain` that is none of `proxies`; the leftmost one when all of them are. */
export function firstBeyond(proxies: BlockList, chain: string): string | undefined {
  const hops = chain.split(",");
  let caller: string | undefined;
  for (let i = hops.length - 1; i >= 0; i--) {
    const address = validAddress(hops[i] ?? "");
    if (address === undefined) return caller;
    caller = address;
    if (!isInNetworks(proxies, address)) return caller;
  }
  return caller;
}

function validAddress(text: string): string | undefined {
  const address = plainAddress(text.trim());
  return isIP(address) === 0 ? undefined : address;
}

function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/**
 * The key under which limits count an address: an IPv6 caller owns at least a /64, so that is what is counted.
 */
export function limitKeyOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail = ""] = address.toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const groups = address.includes("::")
    ? [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0"), ...right]
    : left;
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}
