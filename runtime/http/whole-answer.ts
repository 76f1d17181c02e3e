// An answer that leaves in one write: status line, header lines and body as one text. Half of a small request is the write
// itself, and node would send head and body as a pair (docs/adr/0003-http-engine.md has the measurements).
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import { IDLE_TIMEOUT_MS } from "./connections";

/** Fields of node's own that have no public name. */
interface Internals {
  /** The head as text, null until it is made: what `headersSent` looks at, and what goes out before the first byte of a body. */
  _header?: string | null;
  /** Whether somebody reads the request. */
  _consuming?: boolean;
}

const KEEP_ALIVE = `Connection: keep-alive\r\nKeep-Alive: timeout=${IDLE_TIMEOUT_MS / 1000}\r\n`;

let second = Number.NaN;
let general = "";

/** The lines that node adds to every answer on a connection that stays; made once per second. */
function generalLines(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    general = `Date: ${new Date(now * 1000).toUTCString()}\r\n${KEEP_ALIVE}`;
  }
  return general;
}

/**
 * Node reads what is left of a request when its answer is out, through five turns of its queue. Of one that came whole and
 * without a body nothing is left.
 */
function skipReading(req: IncomingMessage): void {
  if (req.complete && req.readableLength === 0) (req as Internals)._consuming = true;
}

/**
 * Sends `lines` (each ended by CRLF, without those about framing, the date and the connection) and an ASCII body. False, and nothing is
 * done, when the connection ends with this answer, or when this node keeps its heads elsewhere: then the caller does it node's way.
 */
export function sendWhole(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  lines: string,
  body: string,
): boolean {
  const internals = res as unknown as Internals;
  if (!res.shouldKeepAlive || internals._header !== null) return false;
  res.statusCode = status;
  internals._header = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "unknown"}\r\ncontent-length: ${body.length}\r\n${generalLines()}${lines}\r\n${body}`;
  skipReading(req);
  res.end();
  return true;
}
