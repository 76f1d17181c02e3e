// Service-to-service calls (contract 2.5). They stay inside the process, but nothing they can observe differs from a
// request: the payload is encoded, decoded, validated, and the answer comes back as a copy.
import { ApiCallError } from "../native/api-call";
import { Request } from "../native/request";
import type { CallOpts } from "../native/types";
import { DecodeError } from "../schema/errors";
import type { EncodedResponse } from "../schema/response-codec";
import type { Authenticator } from "./authentication";
import { failureOf } from "./call-answer";
import { CallMistake, checkAuthData, checkPayload, encodeCall, type EncodedCall } from "./call-encoder";
import type { Endpoint } from "./endpoint";
import { Exchange, type Caller } from "./exchange";
import { Failure, fromCodec, unfitAuthData } from "./failure";
import type { RequestLog } from "./request-log";
import type { Peers } from "./peers";
import { decodeHead, serveTyped } from "./service-side";
import { Trace } from "../trace";

export interface CallContext {
  find(service: string, endpoint: string): Endpoint | undefined;
  hasService(service: string): boolean;
  authenticator: Authenticator | null;
  log: RequestLog;
  /** What called services see as `host`. */
  host: string;
  /** Has a call served and resolves to the answer; rejects with a Failure. */
  deliver(exchange: Exchange, from: Request | null): Promise<EncodedResponse>;
  /** Services of other processes. */
  peers: Peers;
}

export function sourceExchange(source: Request | null): Exchange | null {
  const behind = source && Request.sourceOf(source);
  return behind instanceof Exchange ? behind : null;
}

/** the auth data the called service sees. */
export function callerOf(context: CallContext, source: Exchange | null, opts: CallOpts | undefined): Caller | null {
  if (opts?.authData === undefined || opts.authData === null) return source?.caller ?? null;
  const data = checkAuthData(opts.authData);
  if (typeof data?.userID !== "string") throw new CallMistake("userID missing in auth data");
  try {
    return context.authenticator?.toCaller(data) ?? { userId: data.userID, text: "{}", data: {} };
  } catch (error) {
    throw error instanceof DecodeError ? unfitAuthData(error) : error;
  }
}

export function findTarget(context: CallContext, service: string, name: string): Endpoint {
  const endpoint = context.find(service, name);
  if (endpoint) return endpoint;
  const missing = context.hasService(service) ? "endpoint" : "service";
  throw new Failure("not_found", `${missing} not found`);
}

/** The request that a call makes. */
export function exchangeFor(
  endpoint: Endpoint,
  call: EncodedCall,
  context: CallContext,
  source: Exchange | null,
  from: Request | null,
): Exchange {
  const correlation = source?.correlationId;
  const lines = [
    "accept",
    "*/*",
    "host",
    context.host,
    ...call.lines,
    ...(correlation === undefined ? [] : ["x-correlation-id", correlation]),
  ];
  const target = call.query === "" ? call.path : `${call.path}?${call.query}`;
  const inbound = { method: call.method, path: call.path, query: call.query, target, lines };
  const exchange = new Exchange(
    endpoint,
    inbound,
    paramsOf(endpoint, call.path),
    new Trace(source?.trace ?? traceOf(from)),
  );
  exchange.body = call.body;
  return exchange;
}

/** The trace of a source that is no exchange: a delivered message. */
function traceOf(from: Request | null): Trace | undefined {
  const trace = from?.meta().trace;
  return trace && Trace.known(trace.traceId, trace.spanId);
}

export function paramsOf(endpoint: Endpoint, path: string): (string | undefined)[] {
  const parts = path.split("/").slice(1);
  return endpoint.model.path.flatMap((segment, i) =>
    segment.kind === "literal" ? [] : [parts[i] === "" && segment.kind !== "param" ? undefined : parts[i]],
  );
}

/** Resolves to the response, null when it has none, or an ApiCallError. Rejects for mistakes of the call itself. */
export async function apiCall(
  context: CallContext,
  target: [string, string],
  payload: unknown,
  from: Request | null,
  opts: CallOpts | undefined,
): Promise<object | null> {
  const checked = checkPayload(payload);
  if (checked) await checked;
  const source = sourceExchange(from);
  try {
    const caller = callerOf(context, source, opts);
    const endpoint = findTarget(context, ...target);
    const encoded = encodeCall(endpoint, payload);
    const call = encoded instanceof Promise ? await encoded : encoded;
    if (endpoint.kind === "raw")
      throw new Failure("internal", "internal error", "cannot make api calls to raw endpoints");
    const exchange = exchangeFor(endpoint, call, context, source, from);
    exchange.caller = caller;
    return await answer(endpoint, await context.deliver(exchange, from));
  } catch (error) {
    if (error instanceof CallMistake) throw error;
    return toCallError(fromCodec(error));
  }
}

/** Serves a call in this thread. Rejects with a Failure. */
export function serveHere(exchange: Exchange, log: RequestLog): Promise<EncodedResponse> {
  return new Promise((resolve, reject) => {
    const failed = decodeHead(exchange);
    if (failed) return reject(failed);
    serveTyped(exchange, true, log, {
      ok: (response, extra) => resolve(extra?.has("content-type") ? { ...response, body: null } : response),
      fail: reject,
    });
  });
}

function answer(endpoint: Endpoint, response: EncodedResponse): Promise<object | null> {
  if (response.status < 200 || response.status > 299) throw failureOf(response);
  if (endpoint.response.hasBody && response.body === null) throw Failure.internal("expected json body");
  return new Promise((done, failed) => endpoint.response.decode(response, { done, failed }));
}

export function toCallError(failure: Failure): ApiCallError {
  const details = failure.details === null ? null : (JSON.parse(failure.details) as Record<string, unknown>);
  return new ApiCallError(failure.code, failure.message, details);
}
