// Looking up names that the machine's owner gave, by getaddrinfo, which knows the hosts file and the search domains, and which
// nobody can stop: the look-up of a name whose servers hang keeps one of the two threads that libuv has for this until the
// system gives up, however early whoever asked has left (https://nodejs.org/api/dns.html#implementation-considerations). So a
// name that is being looked up is not asked for again: all who want it meanwhile wait for that one answer.
import dns, { type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { untilAborted } from "../telemetry/time-limit";
import { RecentMap } from "./recent-map";

/** A connection that is made so soon after a name was found will hardly have to wait for it. */
const FOUND_MS = 30_000;

export class NameLookups {
  private readonly pending = new Map<string, Promise<LookupAddress[]>>();
  private readonly foundAtMs = new RecentMap<number>(100);

  constructor(
    private readonly look = (name: string): Promise<LookupAddress[]> => dns.promises.lookup(name, { all: true }),
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** All addresses of a name; at most one look-up of it is under way. Rejects as dns.lookup does. */
  addressesOf(name: string): Promise<LookupAddress[]> {
    let answer = this.pending.get(name);
    if (answer === undefined) {
      answer = this.look(name)
        .then((addresses) => {
          this.foundAtMs.set(name, this.clock());
          return addresses;
        })
        .finally(() => this.pending.delete(name));
      this.pending.set(name, answer);
    }
    return answer;
  }

  /** For whoever looks up by itself, as `fetch` does: resolves when the name has an address, or had one a moment ago. Rejects as addressesOf, and with the signal's reason. */
  async untilFound(address: string, signal: AbortSignal): Promise<void> {
    const name = new URL(address).hostname.replace(/^\[|\]$/g, "");
    signal.throwIfAborted();
    if (isIP(name) !== 0 || this.clock() - (this.foundAtMs.get(name) ?? -Infinity) < FOUND_MS) return;
    await untilAborted(() => this.addressesOf(name), signal);
  }
}

/** This process's. */
export const nameLookups = new NameLookups();

const FAMILIES: Readonly<Record<string, number>> = { IPv4: 4, IPv6: 6 };

/** For `lookup` of node:net and what stands on it. */
export const lookupJoined: LookupFunction = (name, { all, family = 0 }, callback) => {
  const wanted = typeof family === "number" ? family : FAMILIES[family];
  nameLookups.addressesOf(name).then(
    (found) => {
      const fitting = found.filter((one) => wanted === 0 || one.family === wanted);
      const [first] = fitting;
      if (first === undefined) callback(new Error(`${name} has no address of this family`), "", 0);
      else if (all === true) callback(null, fitting);
      else callback(null, first.address, first.family);
    },
    (error: unknown) => callback(error as NodeJS.ErrnoException, "", 0),
  );
};
