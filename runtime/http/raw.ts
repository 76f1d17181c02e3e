// Raw endpoints (contract 5.1): the handler gets the SDK's imitations of node's request and response.
import { STATUS_CODES, type IncomingMessage } from "node:http";
import { BodyReader } from "../native/body-reader";
import { ResponseWriter, type RawSink } from "../native/response-writer";
import { toWire } from "../schema/header-encoder";
import { announcesBody } from "./body";
import type { Exchange } from "./exchange";
import { Failure, fromThrown, type ErrorCode } from "./failure";
import { invoke } from "./invoke";
import type { Pending, Replier } from "./reply";
import type { RequestLog } from "./request-log";
import type { Handler } from "./endpoint";

/** What a status means when nobody threw (H-107). */
const CODES: Record<number, ErrorCode> = {
  400: "invalid_argument",
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  409: "already_exists",
  429: "resource_exhausted",
  499: "canceled",
  500: "internal",
  501: "unimplemented",
  503: "unavailable",
  504: "deadline_exceeded",
};

function codeOf(status: number): { code: string; failure: Failure | null } {
  if (status < 400) return { code: status === 200 ? "ok" : `http_${status}`, failure: null };
  const code = CODES[status] ?? "unknown";
  return { code, failure: new Failure(code, STATUS_CODES[status] ?? `HTTP ${status}`) };
}

/** What a raw answer tells about itself. */
interface Watch {
  onHead(status: number): void;
  onFailure(failure: Failure): void;
}

/** Sends the app's head with the gateway's headers added; the trace id is always ours. */
function sinkFor(pending: Pending, replier: Replier, watch: Watch): RawSink {
  const { res } = pending;
  let failed = false;
  const fail = (problem: string): void => {
    failed = true;
    const failure = Failure.internal(problem);
    watch.onFailure(failure);
    replier.fail(pending, failure);
  };
  return {
    fail,
    head(status, headers) {
      const lines: string[] = [];
      for (let i = 0; i < headers.length; i += 2) {
        if (headers[i]!.toLowerCase() !== "x-encore-trace-id") lines.push(headers[i]!, toWire(headers[i + 1]!));
      }
      try {
        res.writeHead(status, replier.lines(pending, lines));
        watch.onHead(status);
      } catch (error) {
        fail(error instanceof Error ? error.message : String(error));
      }
    },
    write(chunk, done) {
      if (failed || res.destroyed) return done();
      res.write(chunk, () => done());
    },
    end(chunk, done) {
      if (failed || res.destroyed) return done();
      if (chunk) res.end(chunk, done);
      else res.end(done);
    },
  };
}

export function serveRaw(
  exchange: Exchange,
  handler: Handler,
  pending: Pending,
  replier: Replier,
  log: RequestLog,
): void {
  let logged = false;
  const complete = (code: string, failure: Failure | null): void => {
    if (logged) return;
    logged = true;
    log.completed(exchange, code, failure);
  };
  const watch: Watch = {
    onHead(status) {
      const { code, failure } = codeOf(status);
      complete(code, failure);
    },
    onFailure: (failure) => complete(failure.code, failure),
  };
  pending.res.on("error", () => undefined);
  const writer = new ResponseWriter(sinkFor(pending, replier, watch));
  const body = new BodyReader(bodyOf(pending.req), exchange.endpoint.model.bodyLimit);
  log.started(exchange);
  invoke(handler, [exchange.request, writer, body], {
    done: () => undefined,
    failed: (thrown) => {
      const failure = fromThrown(thrown);
      complete(failure.code, failure);
      giveUp(writer, pending, replier, failure);
    },
  });
}

function bodyOf(req: IncomingMessage): IncomingMessage | null {
  return announcesBody(req) ? req : null;
}

/** Before the head has left the client gets the error; after it, a cut connection: a whole answer would be a lie. */
function giveUp(writer: ResponseWriter, pending: Pending, replier: Replier, failure: Failure): void {
  if (writer.ended) return;
  const started = writer.started;
  writer.abandon();
  if (started) pending.res.destroy();
  else replier.fail(pending, failure);
}
