// What only whoever sits at this machine, or in networks of its own, may read or use: the development mailbox, whose mails sign
// people in, and the link that opens the console. Every hop that the request names must be near: through a tunnel or a public
// proxy the door is shut.
import { parseAddress } from "../config/network";
import { isInNetworks, networkList } from "./address";
import type { Headers } from "./client-ip";

/** No chain of hops that are all near is longer, and what is longer is not read. */
const CHAIN_CHARS_MAX = 1_000;

interface NearDoor {
  /** Networks that are near. */
  allow: readonly string[];
  /** Whether it opens to a request that names no hop. One of the app itself names none. */
  isOpenToUnnamed: boolean;
}

/** A predicate over request headers (names in lower case). */
export function nearDoor({ allow, isOpenToUnnamed }: NearDoor): (headers: Headers) => boolean {
  const networks = networkList(allow);
  const isNear = (entry: string): boolean => {
    const address = parseAddress(entry);
    return address !== undefined && isInNetworks(networks, address);
  };
  return ({ "x-forwarded-for": forwarded, forwarded: standard }) => {
    if (standard !== undefined) return false;
    const chain = [forwarded ?? []].flat().join(",");
    if (chain === "") return isOpenToUnnamed;
    return chain.length <= CHAIN_CHARS_MAX && chain.split(",").every(isNear);
  };
}
