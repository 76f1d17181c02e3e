// Asking name servers for the texts of a name, in bounded time and number. A resolver of its own holds none of libuv's
// threads, as `dns.lookup` would, so one that does not answer stops nothing else. "There is no such record" and "nobody
// answered" are two things: by the second nobody loses a domain, because it may be our own network that is away. What goes
// wrong here, and not on the way, is neither: it is thrown. An organisation has two looks at once, and after a silence one a
// while later (security/fair-turns.ts); upkeep has a line of its own.
import { Resolver } from "node:dns/promises";
import { FairTurns, type FairTurnsMax } from "../../security/fair-turns";
import type { TenantId } from "../../security/principal";
import { BoundedTurns } from "../bounded-turns";

/**
 * Undefined when nobody answered. @throws RestingError when nobody did a moment ago; APIError service_unavailable when too many
 * are asked at once; what failed on our side.
 */
export type TxtLookup = (name: string, whose: TenantId) => Promise<string[] | undefined>;

const TIMEOUT_MS = 1_500;
/** For all tries at all servers together. */
const TOTAL_MS = 5_000;
/** An organisation has fifty domains, which a page of its own may ask for in a row. */
const TURNS: FairTurnsMax = {
  lines: {
    untried: { ofOne: 2, inAll: 64 },
    prompt: { ofOne: 2, inAll: 64 },
    slow: { ofOne: 2, inAll: 32 },
    silent: { ofOne: 1, inAll: 32 },
  },
  waitingOfOne: 50,
  waitMsMax: 5_000,
  silentAfterMs: 1_000,
};
const UPKEEP_AT_ONCE = 32;
const UPKEEP_WAITING_MAX = 64;

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
  /** By which it is told who is silent. */
  nowMs?: () => number;
}

export interface TxtLookups {
  /** For somebody who waits for it: by organisation, so that one whose name servers are silent stops no other. */
  people: TxtLookup;
  /** For upkeep, whose look must not fail because people ask, nor they because of it. */
  upkeep: (name: string) => ReturnType<TxtLookup>;
}

export function txtLookups(settings: TxtSettings = {}): TxtLookups {
  const fair = new FairTurns(TURNS, settings.nowMs);
  const upkeep = new BoundedTurns(UPKEEP_AT_ONCE, UPKEEP_WAITING_MAX);
  return {
    people: (name, whose) => unlessSilent(fair.run(whose, (cut) => ask(name, settings, cut))),
    upkeep: (name) => unlessSilent(upkeep.run(() => ask(name, settings))),
  };
}

/** Rejects by SilenceError when nobody answers, or it is cut. */
async function ask(
  name: string,
  { servers, timeoutMs = TIMEOUT_MS, totalMs = TOTAL_MS }: TxtSettings,
  cut?: AbortSignal,
): Promise<string[]> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  const cancel = (): void => resolver.cancel();
  const timer = setTimeout(cancel, totalMs);
  cut?.addEventListener("abort", cancel);
  try {
    // One record may come in several pieces (RFC 7208 §3.3 joins them the same way).
    return (await resolver.resolveTxt(name)).map((pieces) => pieces.join(""));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (NONE.has(code)) return [];
    throw SILENCE.has(code) ? new SilenceError(code) : error;
  } finally {
    clearTimeout(timer);
  }
}

class SilenceError extends Error {
  override readonly name = "SilenceError";
}

const unlessSilent = (asked: Promise<string[]>): Promise<string[] | undefined> =>
  asked.catch((error: unknown) => {
    if (error instanceof SilenceError) return undefined;
    throw error;
  });

export const lookUps = txtLookups();
