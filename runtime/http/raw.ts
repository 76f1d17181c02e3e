// Raw endpoints (contract 5.1): the handler gets the SDK's imitations of node's request and response.
import { STATUS_CODES } from "node:http";
import { BodyReader } from "../native/body-reader";
import { ResponseWriter, type RawSink } from "../native/response-writer";
import { toWire } from "../schema/header-encoder";
import { announcesBody } from "./body";
import type { Exchange } from "./exchange";
import { Failure, fromThrown, type ErrorCode } from "./failure";
import { invoke } from "./invoke";
import { within, withLink, type RawLink } from "./raw-objects";
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
function sinkFor(pending: Pending, replier: Replier, watch: Watch): RawSink & { release(): void } {
  const { res } = pending;
  let failed = false;
  // A piece that nobody will read. Were it done with at once, a source could run dry before anybody learns of the end.
  let held: ((error?: Error) => void) | undefined;
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
      if (failed) return done();
      if (res.destroyed) held = done;
      else
        res.write(chunk, (error) => {
          if (error) held = done;
          else done();
        });
    },
    release: () => held?.(Object.assign(new Error("aborted"), { code: "ECONNRESET" })),
    end(chunk, done) {
      if (failed || res.destroyed) return done();
      if (chunk) res.end(chunk, done);
      else res.end(done);
    },
    flush() {
      if (!failed && !res.destroyed) res.flushHeaders();
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
  const { req, res } = pending;
  res.on("error", () => undefined);
  const sink = sinkFor(pending, replier, watch);
  const writer = new ResponseWriter(sink);
  const body = new BodyReader(announcesBody(req) ? req : null, exchange.endpoint.model.bodyLimit);
  const failed = (thrown: unknown): void => {
    const failure = fromThrown(thrown);
    complete(failure.code, failure);
    giveUp(writer, pending, replier, failure);
  };
  const link: RawLink = {
    cut: () => {
      if (!res.writableEnded) res.destroy();
    },
    flush: () => writer.flush(),
    report: (error) => log.unheard(exchange, error),
    lost: (thrown) => {
      leaveConnection(pending);
      failed(thrown);
    },
  };
  res.once("close", () => {
    if (!res.writableFinished) complete("canceled", null);
    within(link, () => {
      settle(link, writer, body, res.writableFinished);
      setImmediate(sink.release);
    });
  });
  log.started(exchange);
  withLink(link, () => invoke(handler, [exchange.request, writer, body], { done: () => undefined, failed }));
}

/** After an exception out of a turn in which it was parsing, node's parser takes what follows for a request of its own. */
function leaveConnection({ req, res }: Pending): void {
  if (!res.headersSent) res.shouldKeepAlive = false;
  else if (res.writableEnded) req.socket.destroySoon?.();
}

/** The answer is out, or its client has left: the handler's objects are told. */
function settle({ request, response }: RawLink, writer: ResponseWriter, body: BodyReader, isOut: boolean): void {
  const isUnread = request?.readableFlowing === null;
  if (isOut && isUnread) {
    body.drop();
    request.push(null);
    request.resume();
  }
  if (isOut && request?.destroyed) body.drop();
  if (isOut) return;
  writer.abandon();
  body.abort();
  response?.destroy();
}

/** Before the head has left the client gets the error; after it, a cut connection: a whole answer would be a lie. */
function giveUp(writer: ResponseWriter, pending: Pending, replier: Replier, failure: Failure): void {
  if (writer.ended) return;
  const started = writer.started;
  writer.abandon();
  if (started) pending.res.destroy();
  else replier.fail(pending, failure);
}
