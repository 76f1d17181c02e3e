// The caller's address. Every hop appends the peer it saw to X-Forwarded-For, so only the right end can be
// believed: reading from there, networks of our own proxies are passed over and the first other one is the caller.
// The header Forwarded (RFC 7239) is not believed; it only tells that there is a proxy.
import type { BlockList } from "node:net";

import { cfg } from "../config";
import { logger } from "../telemetry/logger";
import { parseAddress } from "../config/network";
import { isInNetworks, limitKeyOf, networkList } from "./address";
import { RecentMap } from "./recent-map";

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Who limits count when the nearest hop named no address: all such callers together, never nobody. */
export const UNKNOWN_ADDRESS = "unknown";

export interface ClientAddresses {
  /** The caller's address in its one spelling; undefined when no hop named a valid one. */
  find(headers: Headers): string | undefined;
  /**
   * The key under which limits count the caller. Undefined only without any forwarding header: then one of our own
   * services calls.
   */
  limitKey(headers: Headers): string | undefined;
}

interface Known {
  address: string | undefined;
  limitKey: string;
}

/** The same chains come again and again, and reading one costs some microseconds. */
const KNOWN_MAX = 10_000;
const KNOWN_CHARS_MAX = 200;

interface Options {
  trustedProxies: readonly string[];
  /** Told, once for each kind of peer, that a peer which is no declared proxy sends forwarding headers. */
  onUndeclaredProxy?: (peer: string, isPrivate: boolean) => void;
}

export function createClientAddresses({ trustedProxies, onUndeclaredProxy }: Options): ClientAddresses {
  const proxies = networkList(trustedProxies);
  const noticed = new Set<boolean>();
  const known = new RecentMap<Known>(KNOWN_MAX);

  const notice = (headers: Headers, chain: string): void => {
    if (onUndeclaredProxy === undefined || noticed.size === 2) return;
    const comma = chain.lastIndexOf(",");
    if (comma < 0 && headers.forwarded === undefined) return;
    const peer = parseAddress(chain.slice(comma + 1));
    if (peer === undefined || isInNetworks(proxies, peer)) return;
    const isPrivate = isInNetworks(privateNetworks, peer);
    if (noticed.has(isPrivate)) return;
    noticed.add(isPrivate);
    onUndeclaredProxy(peer, isPrivate);
  };

  const read = (chain: string): Known => {
    const address = firstBeyond(proxies, chain);
    const fresh = { address, limitKey: address === undefined ? UNKNOWN_ADDRESS : limitKeyOf(address) };
    if (chain.length <= KNOWN_CHARS_MAX) known.set(chain, fresh);
    return fresh;
  };

  const of = (headers: Headers): Known | undefined => {
    const forwarded = headers["x-forwarded-for"];
    if (forwarded === undefined) return undefined;
    const chain = Array.isArray(forwarded) ? forwarded.join(",") : forwarded;
    const kept = known.get(chain);
    if (kept === undefined || headers.forwarded !== undefined) notice(headers, chain);
    return kept ?? read(chain);
  };
  return { find: (headers) => of(headers)?.address, limitKey: (headers) => of(headers)?.limitKey };
}

/**
 * The rightmost address of `chain` that is none of `proxies`; the leftmost one when all of them are. An entry that
 * cannot be read ends the walk: whoever wrote it is the last that is known. Reads no more of a long chain than needed.
 */
export function firstBeyond(proxies: BlockList, chain: string): string | undefined {
  let caller: string | undefined;
  for (let end = chain.length; end > 0;) {
    const comma = chain.lastIndexOf(",", end - 1);
    const address = parseAddress(chain.slice(comma + 1, end));
    if (address === undefined) return caller;
    caller = address;
    if (!isInNetworks(proxies, address)) return caller;
    end = comma;
  }
  return caller;
}

const privateNetworks = networkList([
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "100.64.0.0/10",
  "::1",
  "fc00::/7",
  "fe80::/10",
]);

/** Said once for each kind of peer and process; in development and tests proxies come and go. */
function reportUndeclaredProxy(peer: string, isPrivate: boolean): void {
  const log = logger("limits");
  const remedy = `set TRUSTED_PROXIES to the networks of your proxies (this one is ${peer})`;
  if (isPrivate)
    log.error(
      { peer },
      `a proxy that is not declared stands in front: all its callers share one limit until you ${remedy}`,
    );
  else
    log.warn(
      { peer },
      `a peer that is no declared proxy sends X-Forwarded-For, which is not believed: when it is a proxy of yours, ${remedy}`,
    );
}

const addresses = createClientAddresses({
  trustedProxies: cfg.limits.trustedProxies,
  ...(cfg.env === "production" ? { onUndeclaredProxy: reportUndeclaredProxy } : {}),
});

/** The address of the caller of these request headers (names in lower case). */
export const clientIp = (headers: Headers): string | undefined => addresses.find(headers);

/** The key under which limits count the caller of these request headers. */
export const clientLimitKey = (headers: Headers): string | undefined => addresses.limitKey(headers);

/** The same of the header alone; all whose address is not known share one key. */
export const limitKeyOfChain = (forwardedFor: string | undefined): string =>
  addresses.limitKey({ "x-forwarded-for": forwardedFor }) ?? UNKNOWN_ADDRESS;

/** The address that the header alone names. */
export const addressOfChain = (forwardedFor: string | undefined): string | undefined =>
  addresses.find({ "x-forwarded-for": forwardedFor });
