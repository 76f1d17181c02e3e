// Which addresses belong to the public internet: for whatever connects where a stranger says. Everything that the IANA
// special-purpose registries (RFC 6890) reserve is not among them: this machine, private networks, link-local addresses
// (the metadata services of clouds), shared address space, documentation, multicast, and IPv6 forms that carry IPv4.
import { parseAddress } from "../config/network";
import { isInNetworks, networkList } from "./address";

const reserved = networkList([
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
]);
/** All that is given out of IPv6. */
const global6 = networkList(["2000::/3"]);

/** In any spelling; IPv4 inside IPv6 is judged as IPv4. False for what is no address. */
export function isPublicAddress(text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined || isInNetworks(reserved, address)) return false;
  return !address.includes(":") || isInNetworks(global6, address);
}
