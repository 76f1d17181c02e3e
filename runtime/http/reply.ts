// Writes answers: headers of the gateway (CORS, trace id), of the edge, and framing. Header lists hold names and
// values in turn.
import { ServerResponse, type IncomingMessage } from "node:http";
import type { Cors, CorsRequest } from "./cors";
import { envelopeOf, wantsEnvelope } from "./error-envelope";
import type { Failure } from "./failure";
import { headerBlock } from "./header-block";
import { withExtra, type ExtraHeaders } from "./result";
import type { Trace } from "../trace";
import { sendWhole } from "./whole-answer";

/** One request waiting for its answer. */
export interface Pending {
  req: IncomingMessage;
  res: ServerResponse;
  /** Set once the request is routed (H-89). */
  trace: Trace | null;
  /** Who in another process of the app asks; absent for clients. What is for them is added where they are answered. */
  from?: "gateway" | "service";
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
    method: req.method ?? "",
    origin: headers.origin,
    authorization: headers.authorization,
    cookie: headers.cookie,
    requestMethod: text("access-control-request-method"),
    requestHeaders: text("access-control-request-headers"),
    privateNetwork: text("access-control-request-private-network"),
  };
}

function has(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2)
    if (headers[i]!.length === name.length && headers[i]!.toLowerCase() === name) return true;
  return false;
}

const NOT_ASCII = /[^\u0000-\u007f]/;

/** node joins head and body when the body is a string, and would then write the head's bytes as UTF-8 once more. */
function bodyBeside(headers: readonly string[], body: string): string | Buffer {
  return headers.some((line) => NOT_ASCII.test(line)) ? Buffer.from(body) : body;
}

export class Replier {
  private readonly edge: [string, string][];
  private readonly common: readonly string[];
  /** The constant header lines of a JSON answer; null when they are not plain. */
  private readonly jsonBlock: string | null;
  /** The same with what middleware adds, for the sets that it adds again and again. */
  private readonly extraBlocks = new WeakMap<ExtraHeaders, { block: string | null }>();

  constructor(private readonly options: ReplyOptions) {
    this.edge = Object.entries(options.edge).map(([name, value]) => [name.toLowerCase(), value]);
    this.common = options.cors?.common ?? [];
    this.jsonBlock = headerBlock(this.withEdge([...JSON_TYPE, ...this.common]));
  }

  /** All headers of an answer: the given ones, then those of the gateway and the edge. */
  lines(pending: Pending, headers: readonly string[]): string[] {
    const lines = this.linesWithoutTrace(pending, headers);
    if (pending.trace) lines.push("x-encore-trace-id", pending.trace.traceId);
    return lines;
  }

  private linesWithoutTrace({ req, from }: Pending, headers: readonly string[]): string[] {
    if (from !== undefined) return this.withEdge([...headers]);
    const lines = [...headers, ...this.common];
    const origin = req.headers.origin;
    if (origin !== undefined && this.options.cors?.allows(corsRequest(req)))
      lines.push("access-control-allow-origin", origin);
    return this.withEdge(lines);
  }

  withEdge(lines: string[]): string[] {
    for (const [name, value] of this.edge) if (!has(lines, name)) lines.push(name, value);
    return lines;
  }

  send(pending: Pending, status: number, headers: readonly string[], body: string | Buffer | null): void {
    const { res } = pending;
    if (res.headersSent || res.destroyed) return;
    if (typeof body === "string" && this.sendWhole(pending, status, headers, body)) return;
    const lines = this.lines(pending, headers);
    const length = body === null ? 0 : typeof body === "string" ? Buffer.byteLength(body) : body.length;
    lines.push("content-length", String(length));
    this.write(res, status, lines, body === null ? null : typeof body === "string" ? bodyBeside(lines, body) : body);
  }

  /** Sends JSON; `headers` may bring their own content type beside it. */
  json(pending: Pending, status: number, headers: readonly string[] | null, body: string): void {
    this.send(pending, status, headers === null ? JSON_TYPE : [...headers, ...JSON_TYPE], body);
  }

  /** Sends JSON with what middleware adds. */
  jsonWith(pending: Pending, status: number, extra: ExtraHeaders, body: string): void {
    const { res } = pending;
    if (!res.headersSent && !res.destroyed && this.sendWhole(pending, status, JSON_TYPE, body, extra)) return;
    this.send(pending, status, withExtra(JSON_TYPE, extra), body);
  }

  private blockWith(extra: ExtraHeaders): string | null {
    let known = this.extraBlocks.get(extra);
    if (known === undefined) {
      known = { block: headerBlock(this.withEdge([...withExtra(JSON_TYPE, extra), ...this.common])) };
      this.extraBlocks.set(extra, known);
    }
    return known.block;
  }

  /** The short way for most answers: plain lines, an ASCII body, a connection that stays. False when it cannot be taken. */
  private sendWhole(
    pending: Pending,
    status: number,
    headers: readonly string[],
    body: string,
    extra: ExtraHeaders | null = null,
  ): boolean {
    const { req, res, trace } = pending;
    const hasBody = status >= 200 && status < 600 && status !== 204 && status !== 304 && req.method !== "HEAD";
    if (!hasBody || !(res instanceof ServerResponse) || Buffer.byteLength(body) !== body.length) return false;
    const isConstant = headers === JSON_TYPE && !has(req.rawHeaders, "origin") && pending.from === undefined;
    const block = isConstant
      ? extra === null
        ? this.jsonBlock
        : this.blockWith(extra)
      : headerBlock(this.linesWithoutTrace(pending, withExtra(headers, extra)));
    if (block === null) return false;
    return sendWhole(
      req,
      res,
      status,
      trace === null ? block : `${block}x-encore-trace-id: ${trace.traceId}\r\n`,
      body,
    );
  }

  /** Sends only the given headers: routes of the host itself have neither CORS nor trace id. */
  bare(pending: Pending, status: number, headers: readonly string[], body: string | null): void {
    const lines = this.withEdge([...headers, "content-length", String(body === null ? 0 : Buffer.byteLength(body))]);
    this.write(pending.res, status, lines, body);
  }

  fail(pending: Pending, failure: Failure, extra: readonly string[] = []): void {
    const headers = [...failure.headers, ...extra];
    if (pending.from !== "service" && wantsEnvelope(pending.req)) {
      const { status, body } = envelopeOf(failure);
      this.json(pending, status, headers, body);
      return;
    }
    const body = failure.body(this.options.includeInternal || pending.from === "service");
    this.json(pending, failure.status, headers, body);
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
      else res.end(body);
    } catch {
      // A header that node refuses after all: the client learns of it without the content.
      if (!res.headersSent) res.writeHead(500, ["content-length", "0"]);
      res.end();
    }
  }
}
