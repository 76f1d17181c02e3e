// The service side of a request (H-19): decode, expose, authenticate, log, call. Clients outside and callers
// inside the process go the same way and differ only in where the answer goes.
import { EncodeError } from "../schema/errors";
import { UnreadableResult } from "../schema/header-encoder";
import type { EncodedResponse } from "../schema/response-codec";
import { atOnceOrInSlices } from "../schema/slices";
import type { Exchange } from "./exchange";
import { Failure, fromCodec, fromThrown } from "./failure";
import { invoke } from "./invoke";
import type { RequestLog } from "./request-log";
import { encodeResult, extraHeaders, type ExtraHeaders } from "./result";

/** Where a typed endpoint's answer goes. */
export interface TypedReply {
  ok(response: EncodedResponse, extra: ExtraHeaders | null): void;
  fail(failure: Failure, extra: ExtraHeaders | null): void;
}

const HIDDEN = new Failure("not_found", "endpoint not found", "the endpoint was found, but is not exposed");
const NEEDS_AUTH = new Failure("unauthenticated", "endpoint requires auth but none provided");
const NO_HANDLER = new Failure("not_found", "endpoint not found", "no handler registered for endpoint");

/** Decodes what comes before the body; the problem, if there is one. */
export function decodeHead(exchange: Exchange): Failure | null {
  try {
    exchange.decodeHead();
    return null;
  } catch (error) {
    return fromCodec(error);
  }
}

/** Whether the caller may come in once the request is decoded. Callers inside reach endpoints that are not exposed. */
export function admit(exchange: Exchange, isInside: boolean): Failure | null {
  const { model } = exchange.endpoint;
  if (!model.expose && !isInside) return HIDDEN;
  return model.auth && !exchange.caller ? NEEDS_AUTH : null;
}

/** Serves a typed endpoint whose head is decoded and whose body, if it reads one, has arrived. */
export function serveTyped(exchange: Exchange, isInside: boolean, log: RequestLog, reply: TypedReply): void {
  if (!exchange.readsBody) return serveDecoded(exchange, isInside, log, reply);
  exchange.decodeBody({
    done: () => serveDecoded(exchange, isInside, log, reply),
    failed: (error) => reply.fail(fromCodec(error), null),
  });
}

function serveDecoded(exchange: Exchange, isInside: boolean, log: RequestLog, reply: TypedReply): void {
  const refused = admit(exchange, isInside);
  if (refused) return reply.fail(refused, null);
  const handler = exchange.endpoint.handler();
  if (!handler) return reply.fail(NO_HANDLER, null);
  log.started(exchange);
  invoke(handler, [exchange.request], {
    done: (result) => finish(exchange, result, log, reply),
    failed: (thrown) => {
      const failure = fromThrown(thrown);
      log.completed(exchange, failure.code, failure);
      reply.fail(failure, null);
    },
  });
}

/** Whether nothing of a result could be taken over: then middleware's headers do not travel either. */
function isUnreadable(error: unknown): boolean {
  return error instanceof EncodeError || error instanceof UnreadableResult;
}

/** A result that cannot be encoded fails at the client; a bad payload also in the log (H-108). */
function finish(exchange: Exchange, result: unknown, log: RequestLog, reply: TypedReply): void {
  let extra: ExtraHeaders | null = null;
  const failed = (error: unknown): void => {
    const failure = fromCodec(error);
    log.completed(exchange, failure.code, failure);
    reply.fail(failure, isUnreadable(error) ? null : extra);
  };
  try {
    extra = extraHeaders(result);
  } catch (error) {
    return failed(error);
  }
  atOnceOrInSlices((pace) => encodeResult(exchange.endpoint, result, pace), {
    done: (response) => {
      log.completed(exchange, "ok", null);
      reply.ok(response, extra);
    },
    failed,
  });
}

export { HIDDEN, NEEDS_AUTH, NO_HANDLER };
