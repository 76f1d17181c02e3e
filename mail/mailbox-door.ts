// Who may read the mailbox: its mails sign people in, so only whoever sits at this machine or in its own networks. Every
// hop that the request names must be near: through a tunnel or a public proxy there is no mailbox.
import { isInNetworks, networkList, parseAddress } from "../security/address";
import type { Headers } from "../security/client-ip";

/** A predicate over request headers (names in lower case) for the given networks. */
export function mailboxDoor(allow: readonly string[]): (headers: Headers) => boolean {
  const networks = networkList(allow);
  return ({ "x-forwarded-for": forwarded, forwarded: standard }) => {
    if (standard !== undefined) return false;
    const chain = [forwarded ?? []].flat().join(",");
    if (chain === "") return true;
    if (chain.length > 1_000) return false;
    return chain.split(",").every((entry) => {
      const address = parseAddress(entry);
      return address !== undefined && isInNetworks(networks, address);
    });
  };
}
