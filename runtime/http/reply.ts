// Writes answers: headers of the gateway (CORS, trace id), of the edge, and framing. Header lists hold names and
// values in turn.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Cors, CorsRequest } from "./cors";
import type { Failure } from "./failure";
import type { Trace } from "./trace";

/** One request waiting for its answer. */
export interface Pending {
  req: IncomingMessage;
  res: ServerResponse;
  /** Set once the request is routed (H-89). */
  trace: Trace | null;
}

export interface ReplyOptions {
  cors: Cors | null;
  /** Headers added to every answer that lacks them (HostConfig.edgeHeaders). */
  edge: Record<string, string>;
  includeInternal: boolean;
}

const JSON_TYPE: readonly string[] = ["content-type", "application/json"];
/** What the official gateway puts on its own errors (H-105). */
const GATEWAY_ERROR: readonly string[] = ["cache-control", "private, no-store", "server", "Pingora"];

export function corsRequest(req: IncomingMessage): CorsRequest {
  const { headers } = req;
  const text = (name: string): string | undefined => headers[name] as string | undefined;
  return {
    method: req.method ?? "", origin: headers.origin, authorization: headers.authorization, cookie: headers.cookie,
    requestMethod: text("access-control-request-method"), requestHeaders: text("access-control-request-headers"),
    privateNetwork: text("access-control-request-private-network"),
  };
}

function has(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i]!.length === name.length && headers[i]!.toLowerCase() === name) return true;
  return false;
}

/** node joins head and body when the body is a string, and would then write the head as UTF-8 a second time. */
function isNotAscii(line: string): boolean {
  for (let i = 0; i < line.length; i++) if (line.charCodeAt(i) > 127) return true;
  return false;
}

export class Replier {
  private readonly edge: [string, string][];
  private readonly common: readonly string[];

  constructor(private readonly options: ReplyOptions) {
    this.edge = Object.entries(options.edge).map(([name, value]) => [name.toLowerCase(), value]);
    this.common = options.cors?.common ?? [];
  }

  /** All headers of an answer: the given ones, then those of the gateway and the edge. */
  lines(pending: Pending, headers: readonly string[]): string[] {
    const lines = [...headers, ...this.common];
    const { req, trace } = pending;
    const origin = req.headers.origin;
    if (origin !== undefined && this.options.cors?.allows(corsRequest(req))) lines.push("access-control-allow-origin", origin);
    if (trace) lines.push("x-encore-trace-id", trace.traceId);
    return this.withEdge(lines);
  }

  withEdge(lines: string[]): string[] {
    for (const [name, value] of this.edge) if (!has(lines, name)) lines.push(name, value);
    return lines;
  }

  send(pending: Pending, status: number, headers: readonly string[], body: string | Buffer | null): void {
    const { res } = pending;
    if (res.headersSent || res.destroyed) return;
    const lines = this.lines(pending, headers);
    const length = body === null ? 0 : typeof body === "string" ? Buffer.byteLength(body) : body.length;
    lines.push("content-length", String(length));
    this.write(res, status, lines, body);
  }

  /** Sends JSON; `headers` may bring their own content type beside it. */
  json(pending: Pending, status: number, headers: readonly string[] | null, body: string): void {
    this.send(pending, status, headers === null ? JSON_TYPE : [...headers, ...JSON_TYPE], body);
  }

  /** Sends only the given headers: routes of the host itself have neither CORS nor trace id. */
  bare(pending: Pending, status: number, headers: readonly string[], body: string | null): void {
    const lines = this.withEdge([...headers, "content-length", String(body === null ? 0 : Buffer.byteLength(body))]);
    this.write(pending.res, status, lines, body);
  }

  fail(pending: Pending, failure: Failure, extra: readonly string[] = []): void {
    const retry = failure.retryAfterSeconds === null ? [] : ["retry-after", String(failure.retryAfterSeconds)];
    this.json(pending, failure.status, [...retry, ...extra], failure.body(this.options.includeInternal));
  }

  /** An error of the gateway itself that has no body (H-105). */
  rejectBare(pending: Pending, status: number): void {
    this.send(pending, status, GATEWAY_ERROR, null);
  }

  /** An error of the gateway itself. */
  reject(pending: Pending, failure: Failure): void {
    this.fail(pending, failure, GATEWAY_ERROR);
  }

  private write(res: ServerResponse, status: number, lines: string[], body: string | Buffer | null): void {
    try {
      res.writeHead(status, lines);
      if (body === null) res.end();
      else if (typeof body === "string" && lines.some(isNotAscii)) res.end(Buffer.from(body));
      else res.end(body);
    } catch {
      // A header that node refuses after all: the client learns of it without the content.
      if (!res.headersSent) res.writeHead(500, ["content-length", "0"]);
      res.end();
    }
  }
}
