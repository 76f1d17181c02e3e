// One request to a receiver, which may be anything: it hangs, streams without end, redirects, or is none at all. It has a time from the
// look-up of its name to its status, and little of what it says is read. Where it may be is for security/outbound.ts to say: public
// addresses only, judged as they are connected to. What others got wrong there: addresses of IPv4 inside IPv6
// (OneUptime/oneuptime #2578, documenso/documenso #3166), redirects (Cap-go/capgo.app #2200), one address judged of several
// (spupuz/VibeNVR #297). Receivers have turns (security/fair-turns.ts), because one that hangs held up everybody's
// (owncast/owncast #1504, rmyndharis/OpenWA #511).
import type { IncomingMessage } from "node:http";
import { cfg } from "../../config";
import { withoutControlCharacters } from "../../security/control-characters";
import { FairTurns, RestingError } from "../../security/fair-turns";
import { headOf, openOutbound, OutboundError, type OutboundRules } from "../../security/outbound";
import { reasonOf } from "../../security/errors";
import { wellFormed } from "../../security/well-formed";

/** As Svix has it: whoever needs longer is to answer first and work then. */
const ANSWER_MS = 15_000;
/** Whoever used up so much of it is taken to hang. */
const SILENT_AFTER = 0.6;
/** Of what it says behind its status. */
const BODY_MS = 1_000;
const RESPONSE_BYTES_MAX = 2_048;
const RESPONSE_CHARS_MAX = 500;

export const receiverRules: OutboundRules = { trust: "organisation", allowLoopback: cfg.env !== "production" };

export interface Answer {
  status: number;
  /** The beginning of what it said. */
  response: string;
  /** What it asked for. */
  retryAfterMs: number;
}

/**
 * Why there was no answer: `timeout`, `refused_address` (it is none that is asked), `no_connection`, `cut_short` (given up for others, sooner
 * than it had to answer).
 */
export type Failure = "timeout" | "refused_address" | "no_connection" | "cut_short";

export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  constructor(
    readonly failure: Failure,
    cause: unknown,
  ) {
    super(`the receiver gave no answer: ${failure}`, { cause });
  }
}

/** There was no turn for it: nobody was asked. */
export class NoTurn extends Error {
  override readonly name = "NoTurn";
}

export interface Posting {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface PostSettings {
  rules?: OutboundRules;
  answerMs?: number;
}

/** @throws NoAnswer; the signal's reason when that aborts first. */
export async function post(
  { url, headers, body }: Posting,
  signal: AbortSignal,
  { rules = receiverRules, answerMs = ANSWER_MS }: PostSettings = {},
): Promise<Answer> {
  const late = AbortSignal.timeout(answerMs);
  const bytes = Buffer.from(body);
  try {
    const sent = openOutbound(url, rules, {
      method: "POST",
      headers: { ...headers, "content-length": String(bytes.byteLength) },
      signal: AbortSignal.any([signal, late]),
    });
    const answer = await headOf(sent, bytes);
    const { statusCode: status = 0, headers: told } = answer;
    const retryAfterMs = retryAfterOf(told["retry-after"]);
    return { status, response: await readBeginning(answer), retryAfterMs };
  } catch (error) {
    signal.throwIfAborted();
    throw new NoAnswer(late.aborted ? "timeout" : isRefusal(error) ? "refused_address" : "no_connection", error);
  }
}

const isRefusal = (error: unknown): boolean => error instanceof OutboundError;

/** Seconds; a date is not read. */
function retryAfterOf(text: string | undefined): number {
  const seconds = Number(text ?? "0");
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0;
}

/** Its status counts, whatever becomes of what is behind it: that is for whoever looks for the fault. */
async function readBeginning(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const enough = setTimeout(() => answer.destroy(), BODY_MS);
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= RESPONSE_BYTES_MAX) break;
    }
  } catch {
    // It was cut, by the receiver or by the time.
  } finally {
    clearTimeout(enough);
    answer.destroy();
  }
  const text = Buffer.concat(chunks).subarray(0, RESPONSE_BYTES_MAX).toString();
  return wellFormed(withoutControlCharacters(text).slice(0, RESPONSE_CHARS_MAX));
}

type PostInTurn = (endpointId: string, sign: () => Promise<Posting>, signal: AbortSignal) => Promise<Answer>;

/**
 * Asks each in its turn, with what is signed by then. `ofOne` is one endpoint's; an organisation's share of all is bounded by its jobs,
 * which wait for a turn no longer than one of a prompt endpoint takes: one that is slow has turns of its own and no job of others.
 * What it makes: @throws as post; NoTurn; what signing throws.
 */
export function createPoster(settings: PostSettings = {}): PostInTurn {
  const silentAfterMs = (settings.answerMs ?? ANSWER_MS) * SILENT_AFTER;
  const turns = new FairTurns({
    lines: {
      untried: { ofOne: 4, inAll: 24 },
      prompt: { ofOne: 8, inAll: 48 },
      slow: { ofOne: 4, inAll: 16 },
      silent: { ofOne: 1, inAll: 8 },
    },
    waitingOfOne: 8,
    waitMsMax: 1_000,
    silentAfterMs,
  });
  return async (endpointId, sign, signal) => {
    let begunMs = Infinity;
    const work = async (cut: AbortSignal): Promise<Answer> => {
      const posting = await sign();
      cut.throwIfAborted();
      begunMs = performance.now();
      return post(posting, AbortSignal.any([signal, cut]), settings);
    };
    try {
      return await turns.run(endpointId, work, [signal]);
    } catch (error) {
      // Given up for others: it may have the message all the same, and one that always hangs would never have failed.
      if (error instanceof RestingError && begunMs < Infinity)
        throw new NoAnswer(performance.now() - begunMs >= silentAfterMs ? "timeout" : "cut_short", error);
      const hadNoTurn = error instanceof RestingError || reasonOf(error) === "service_unavailable";
      throw hadNoTurn ? new NoTurn("the receiver has no turn at the moment", { cause: error }) : error;
    }
  };
}

/** Of this process. */
export const postInTurn = createPoster();
