// Asking name servers for the texts of a name, in bounded time and number. A resolver of its own holds none of libuv's
// threads, as `dns.lookup` would, so one that does not answer stops nothing else. "There is no such record" and "nobody
// answered" are two things: by the second nobody loses a domain, because it may be our own network that is away. What goes
// wrong here, and not on the way, is neither: it is thrown.
import { Resolver } from "node:dns/promises";
import { BoundedTurns } from "../bounded-turns";

/** Undefined when nobody answered. @throws APIError service_unavailable when too many are asked at once; what failed on our side. */
export type TxtLookup = (name: string) => Promise<string[] | undefined>;

const TIMEOUT_MS = 1_500;
/** For all tries at all servers together. */
const TOTAL_MS = 5_000;
const AT_ONCE = 32;
const WAITING_MAX = 64;

/** What name servers answer for a name that has no texts (NXDOMAIN; none of this type). */
const NONE: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);
/** No answer, or none that can be read, and the end of our patience (c-ares; https://nodejs.org/api/dns.html#error-codes). */
const SILENCE: ReadonlySet<string> = new Set([
  ...["ESERVFAIL", "EREFUSED", "ETIMEOUT", "ECONNREFUSED", "ECANCELLED"],
  ...["EFORMERR", "ENOTIMP", "EBADRESP", "EBADNAME", "EOF"],
]);

export interface TxtSettings {
  /** `address:port`; the machine's own without. */
  servers?: readonly string[];
  timeoutMs?: number;
  totalMs?: number;
}

export function txtLookup({ servers, timeoutMs = TIMEOUT_MS, totalMs = TOTAL_MS }: TxtSettings = {}): TxtLookup {
  const turns = new BoundedTurns(AT_ONCE, WAITING_MAX);
  return (name) =>
    turns.run(async () => {
      const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
      if (servers !== undefined) resolver.setServers(servers);
      const timer = setTimeout(() => resolver.cancel(), totalMs);
      try {
        // One record may come in several pieces (RFC 7208 §3.3 joins them the same way).
        return (await resolver.resolveTxt(name)).map((pieces) => pieces.join(""));
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? "";
        if (NONE.has(code)) return [];
        if (SILENCE.has(code)) return undefined;
        throw error;
      } finally {
        clearTimeout(timer);
      }
    });
}

export const lookUpTxt = txtLookup();
