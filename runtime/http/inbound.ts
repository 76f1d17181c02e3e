// What arrived, whether over a socket or from a caller inside the process: method, URL and header lines, with the
// readers that decoders and `currentRequest()` need.
import type { IncomingMessage } from "node:http";

/** Header lines as node:http delivers them: names and values in turn, values in Latin-1. */
export type HeaderLines = readonly string[];

export interface Inbound {
  method: string;
  path: string;
  /** Without the question mark. */
  query: string;
  /** Path and query as they arrived. */
  target: string;
  lines: HeaderLines;
  /** Address of the client; absent for callers inside the process. */
  remoteAddress?: string;
  /** The lines as they were read; made by `headersOf`. */
  headers?: InboundHeaders;
}

/** A header value as text. Bytes that are not UTF-8 become U+FFFD. */
export function headerText(value: string): string {
  // ASCII, then: tokens are long, and an expression looks at them character by character.
  if (Buffer.byteLength(value) === value.length) return value;
  return Buffer.from(value, "latin1").toString("utf8");
}

/** All values of a header, in order; `name` is lower case. */
export function headerValues(lines: HeaderLines, name: string): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const line = lines[i]!;
    if (line.length === name.length && line.toLowerCase() === name) out.push(headerText(lines[i + 1]!));
  }
  return out;
}

/** The first value of a header; `name` is lower case. */
export function firstHeader(lines: HeaderLines, name: string): string | undefined {
  for (let i = 0; i < lines.length; i += 2) {
    const line = lines[i]!;
    if (line.length === name.length && line.toLowerCase() === name) return headerText(lines[i + 1]!);
  }
  return undefined;
}

/** The path of a request target, which node's parser has already held to ASCII. */
export function pathOf(target: string): string {
  const question = target.indexOf("?");
  return question < 0 ? target : target.slice(0, question);
}

/** A request that came over a socket. */
export class SocketInbound implements Inbound {
  readonly method: string;
  readonly target: string;
  readonly lines: HeaderLines;
  headers: InboundHeaders | undefined;

  /** `isInside`: it came from another process of the app, whose gateway told about the client, if there is one. */
  constructor(
    private readonly req: IncomingMessage,
    readonly path: string,
    private readonly isInside = false,
  ) {
    this.method = req.method ?? "GET";
    this.target = req.url ?? "/";
    this.lines = req.rawHeaders;
  }

  get query(): string {
    return this.target.slice(this.path.length + 1);
  }

  get remoteAddress(): string | undefined {
    return this.isInside ? undefined : (this.req.socket.remoteAddress ?? "");
  }
}

const INTERNAL = "x-encore-meta-";

/**
 * Header lines, read once for all who ask: the gateway, the auth handler's parameters, the endpoint's, and what
 * `currentRequest()` shows.
 */
export class InboundHeaders {
  private readonly names: string[] = [];
  private readonly texts: (string | undefined)[] = [];
  private forwarded: HeaderLines | undefined;

  constructor(private readonly inbound: Inbound) {
    const { lines } = inbound;
    for (let i = 0; i < lines.length; i += 2) this.names.push(lines[i]!.toLowerCase());
  }

  private text(i: number): string {
    return (this.texts[i] ??= headerText(this.inbound.lines[2 * i + 1]!));
  }

  /** The first value of a header; `name` is lower case. */
  first(name: string): string | undefined {
    const i = this.names.indexOf(name);
    return i < 0 ? undefined : this.text(i);
  }

  /** All values of a header, in order; `name` is lower case. */
  all(name: string): readonly string[] {
    const first = this.names.indexOf(name);
    if (first < 0) return NO_VALUES;
    const out = [this.text(first)];
    for (let i = this.names.indexOf(name, first + 1); i >= 0; i = this.names.indexOf(name, i + 1))
      out.push(this.text(i));
    return out;
  }

  /** The lines the gateway sets on its way to the services, whatever the client sent (contract 3.11). */
  forwardedLines(): HeaderLines {
    return (this.forwarded ??= makeForwardedLines(this, this.inbound.remoteAddress));
  }

  /**
   * Headers as the app sees them: lower case, repeated ones as lists, none of the host's own. The lines in `more`
   * replace those of their names.
   */
  visible(more: HeaderLines): Record<string, string | string[]> {
    const out: Record<string, string | string[]> = {};
    for (let i = 0; i < this.names.length; i++) {
      const name = this.names[i]!;
      if (name.startsWith(INTERNAL) || isAmong(more, name)) continue;
      const value = this.text(i);
      if (value === this.inbound.lines[2 * i + 1] || !value.includes("\ufffd")) add(out, name, value);
    }
    for (let i = 0; i < more.length; i += 2) out[more[i]!] = more[i + 1]!;
    return out;
  }
}

const NO_VALUES: readonly string[] = [];

export function headersOf(inbound: Inbound): InboundHeaders {
  return (inbound.headers ??= new InboundHeaders(inbound));
}

/** Whether a line of `name` is among `lines`. */
function isAmong(lines: HeaderLines, name: string): boolean {
  for (let i = 0; i < lines.length; i += 2) if (lines[i] === name) return true;
  return false;
}

/** The value of the line of this name, if there is one: the gateway sets each once, in lower case. */
function valueAmong(lines: HeaderLines, name: string): readonly string[] {
  for (let i = 0; i < lines.length; i += 2) if (lines[i] === name) return [headerText(lines[i + 1]!)];
  return NO_VALUES;
}

function add(headers: Record<string, string | string[]>, name: string, value: string): void {
  const known = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (known === undefined) headers[name] = value;
  else if (Array.isArray(known)) known.push(value);
  else headers[name] = [known, value];
}

/** Where the gateway passes requests on to; services see this name as their host. */
const SERVICE_HOST = "127.0.0.1";

function makeForwardedLines(headers: InboundHeaders, remoteAddress: string | undefined): string[] {
  if (remoteAddress === undefined) return [];
  const before = headers.all("x-forwarded-for");
  const host = headers.first("host");
  const lines = [
    "host",
    SERVICE_HOST,
    "x-forwarded-for",
    before.length === 0 ? remoteAddress : [...before, remoteAddress].join(", "),
    "x-forwarded-proto",
    "http",
  ];
  if (host !== undefined) lines.push("x-forwarded-host", host);
  return lines;
}

const SET_BY_GATEWAY = new Set([
  "host",
  "traceparent",
  "tracestate",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
]);

/**
 * All values of a header as services see it. `name` is lower case; `set` makes the lines the gateway sets, which
 * replace those of the client. Its own metadata is nobody's parameter.
 */
export function serviceHeaderValues(headers: InboundHeaders, name: string, set: () => HeaderLines): readonly string[] {
  if (name.startsWith(INTERNAL)) return NO_VALUES;
  const replaced = SET_BY_GATEWAY.has(name) ? valueAmong(set(), name) : NO_VALUES;
  return replaced.length > 0 ? replaced : headers.all(name);
}
