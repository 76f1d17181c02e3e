// Whom an address belongs to: the key that limits count it by, the networks around it, and whether it lies in some of ours. How
// addresses and networks are spelled: config/network.ts.
import { BlockList } from "node:net";
import { parseAddress, parseNetwork } from "../config/network";

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

/** Networks (`10.0.0.0/8`, `::1`) as something to look addresses up in. @throws TypeError for what is none. */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network === undefined) throw new TypeError("no network as parseNetwork reads them");
    const [address, prefix] = network.split("/") as [string, string];
    list.addSubnet(address, Number(prefix), address.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}

/** Whether `address`, in any spelling, lies in `list`. */
export function isInNetworks(list: BlockList, address: string): boolean {
  const plain = parseAddress(address);
  return plain !== undefined && list.check(plain, plain.includes(":") ? "ipv6" : "ipv4");
}
