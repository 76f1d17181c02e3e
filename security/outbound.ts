// Requests to where somebody else says: providers of sign-ins, receivers of webhooks. One that hangs, streams without end or
// redirects costs a bounded time and memory. Where an organisation named the address, only public ones are reached, judged by
// the address that is connected to, so that a name that changes its mind between check and use gains nothing (OWASP SSRF
// Prevention Cheat Sheet; RFC 6890). An operator's names are looked up as the machine does, one that hangs once at a time
// (name-lookup.ts).
import { AsyncLocalStorage } from "node:async_hooks";
import { Resolver } from "node:dns/promises";
import { request as requestHttp, type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { lookupJoined } from "./name-lookup";
import { isPublicAddress } from "./public-address";

/** Metadata, keys and tokens are some kilobytes. */
const BODY_BYTES_MAX = 512 * 1024;

/** Nobody's address is longer, and a host that is takes the square of its length to read. */
const ADDRESS_CHARS_MAX = 2_048;

export class OutboundError extends Error {
  override readonly name = "OutboundError";
}

/** Who chose where requests go: `operator`, who may name private addresses, or an organisation of strangers. */
export type Trust = "operator" | "organisation";

export interface OutboundRules {
  trust: Trust;
  /** http and loopback are for development and tests. */
  allowLoopback: boolean;
  /** Who is asked for the addresses of an organisation's names (`address:port`); the machine's own if not given. */
  nameServers?: readonly string[];
}

export interface OutboundRequest {
  method: string;
  headers: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** Of the work that a request is part of: when that is given up, its requests end, and it begins no further one. */
export const givenUp = new AsyncLocalStorage<AbortSignal | undefined>();

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || (isIP(hostname) === 4 && hostname.startsWith("127."));

/** @throws OutboundError for an address that is not to be asked, or shown to a browser. */
export function assertAllowed(address: string, { trust, allowLoopback }: OutboundRules): URL {
  if (address.length > ADDRESS_CHARS_MAX || !URL.canParse(address)) throw new OutboundError("is no address");
  const url = new URL(address);
  if (allowLoopback && isLoopback(url.hostname) && (url.protocol === "http:" || url.protocol === "https:")) return url;
  if (url.protocol !== "https:") throw new OutboundError("is no https address");
  if (url.username !== "" || url.password !== "") throw new OutboundError("has credentials in it");
  if (trust === "organisation" && isPrivateHost(url.hostname)) throw new OutboundError("is no public address");
  return url;
}

/** Where no public server is (RFC 6761, 6762, 7686, 8375; ICANN keeps `internal`), and what networks call their own. */
const PRIVATE_NAMES: readonly string[] = [
  ...["localhost", "localdomain", "local", "internal", "intranet", "private", "lan", "home", "corp", "svc", "onion"],
  "home.arpa",
];

/** By its text alone, of which URL has made one spelling. Names are judged again by what they resolve to. */
function isPrivateHost(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, "");
  if (isIP(address) !== 0) return !isPublicAddress(address);
  const name = address.endsWith(".") ? address.slice(0, -1) : address;
  return !name.includes(".") || PRIVATE_NAMES.some((last) => name.endsWith(`.${last}`));
}

/** Of a family, that are judged and tried: an answer of the DNS has room for thousands, and judging those takes long. */
const ADDRESSES_MAX = 8;

/**
 * By a resolver of its own, which has a time limit and holds none of libuv's threads, as `dns.lookup` would: a name server
 * that does not answer must not stop files and names of everybody else. Exported for its test.
 */
export const lookupPublic =
  (servers?: readonly string[]): LookupFunction =>
  (hostname, options, callback) => {
    const resolver = new Resolver({ timeout: 1_500, tries: 2 });
    if (servers !== undefined) resolver.setServers(servers);
    const found = Promise.all([
      resolver.resolve4(hostname).catch((): string[] => []),
      resolver.resolve6(hostname).catch((): string[] => []),
    ]);
    void found.then(([v4, v6]) => {
      const addresses = [...v4.slice(0, ADDRESSES_MAX), ...v6.slice(0, ADDRESSES_MAX)].map((address) => ({
        address,
        family: isIP(address),
      }));
      const [first] = addresses;
      const isOpen = addresses.every(({ address }) => isPublicAddress(address));
      if (first === undefined || !isOpen) {
        const problem =
          first === undefined ? "the name has no address" : "the name leads to an address that is not public";
        callback(new OutboundError(problem), "", 0);
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };

/**
 * A request that is still to be ended, on a connection of its own: its addresses are judged as it connects, and a redirect is an answer
 * like any other. @throws OutboundError
 */
export function openOutbound(
  address: string,
  rules: OutboundRules,
  { method, headers, signal }: Omit<OutboundRequest, "body">,
): ClientRequest {
  const url = assertAllowed(address, rules);
  const isNearby = rules.allowLoopback && isLoopback(url.hostname);
  const options: RequestOptions = {
    method,
    headers,
    ...(signal === undefined ? {} : { signal }),
    lookup: rules.trust === "organisation" && !isNearby ? lookupPublic(rules.nameServers) : lookupJoined,
    agent: false,
  };
  return (url.protocol === "http:" ? requestHttp : requestHttps)(url, options);
}

/** The form of `fetch`, as openid-client asks for it. */
export function outboundFetch(rules: OutboundRules): (url: string, init: OutboundRequest) => Promise<Response> {
  return async (address, { body, signal: ofRequest, ...init }) => {
    const signals = [ofRequest, givenUp.getStore()].filter((signal) => signal !== undefined);
    const signal = signals.length === 0 ? undefined : AbortSignal.any(signals);
    return answerOf(openOutbound(address, rules, { ...init, signal }), contentOf(body));
  };
}

function contentOf(body: unknown): string | Uint8Array | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new OutboundError("a body of an unknown kind");
}

/** RFC 9110 §15.2 lets a server send any number; some proxies send one or two. */
const INFORMATIONAL_MAX = 8;

/**
 * Ends the request; resolves with the head of its answer. Rejects for all else, and always: Node closes one that is answered by a
 * switch of protocols without a word (nodejs/node, `upgrade` of ClientRequest), and reads informational answers without end.
 */
export function headOf(sent: ClientRequest, body: string | Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let informational = 0;
    sent.on("information", () => {
      if (++informational > INFORMATIONAL_MAX) sent.destroy(new Error("informational answers without end"));
    });
    sent.on("upgrade", (_answer, socket) => {
      socket.destroy();
      reject(new Error("the answer switches protocols"));
    });
    sent.on("error", reject);
    sent.on("close", () => {
      reject(new Error("closed without an answer"));
    });
    sent.on("response", resolve);
    sent.end(body);
  });
}

async function answerOf(sent: ClientRequest, body: string | Uint8Array | undefined): Promise<Response> {
  const answer = await headOf(sent, body);
  return responseOf(answer, await readBody(answer));
}

async function readBody(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop destroys the connection.
    if (bytes > BODY_BYTES_MAX) throw new OutboundError("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Statuses that have no body (Fetch Standard §2.2.3). */
const EMPTY: ReadonlySet<number> = new Set([204, 205, 304]);

function responseOf({ statusCode = 500, headers }: IncomingMessage, body: Buffer): Response {
  const kept = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    typeof value === "string" ? [[name, value]] : [],
  );
  return new Response(EMPTY.has(statusCode) ? null : Uint8Array.from(body), { status: statusCode, headers: kept });
}
