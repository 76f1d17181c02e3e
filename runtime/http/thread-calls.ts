// Calls between services when handlers run in several threads: each goes to the thread that has the least in hand, as
// requests do, and is decoded, checked and answered there.
import type { EncodedResponse } from "../schema/response-codec";
import { answering, type ThreadMember, type ThreadPool } from "../threads";
import { Trace } from "../trace";
import { paramsOf, serveHere, type CallContext } from "./calls";
import { Exchange } from "./exchange";
import { Failure } from "./failure";
import { CALL, type CarriedAnswer, type CarriedCall } from "./thread-messages";

/** What serving a call takes. */
type Within = Omit<CallContext, "deliver">;

function carry({ endpoint, inbound, body, caller, trace }: Exchange): CarriedCall {
  const { method, path, query, target, lines } = inbound;
  return {
    service: endpoint.model.service,
    endpoint: endpoint.model.name,
    inbound: { method, path, query, target, lines: [...lines] },
    body: body?.toString(),
    caller: caller && { userId: caller.userId, text: caller.text },
    parent: trace.parent ? { traceId: trace.parent.traceId, spanId: trace.parent.spanId } : null,
  };
}

function unpack(context: Within, call: CarriedCall): Exchange {
  const endpoint = context.find(call.service, call.endpoint);
  if (!endpoint) throw new Failure("not_found", "endpoint not found");
  const trace = new Trace(call.parent ? Trace.known(call.parent.traceId, call.parent.spanId) : undefined);
  const exchange = new Exchange(endpoint, call.inbound, paramsOf(endpoint, call.inbound.path), trace);
  exchange.body = call.body;
  exchange.caller =
    call.caller &&
    (context.authenticator?.callerFrom(call.caller.userId, call.caller.text) ?? { ...call.caller, data: {} });
  return exchange;
}

async function answerOf(context: Within, call: CarriedCall): Promise<CarriedAnswer> {
  try {
    return { ok: await serveHere(unpack(context, call), context.log) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { code, message, internal, details } = error;
    return { failure: { code, message, internal, details } };
  }
}

function read(answer: CarriedAnswer): EncodedResponse {
  if ("ok" in answer) return answer.ok;
  const { code, message, internal, details } = answer.failure;
  throw new Failure(code, message, internal, details);
}

/** In the main thread: serves a call in one of the threads. */
export function callInThread(pool: ThreadPool): (exchange: Exchange) => Promise<EncodedResponse> {
  return async (exchange) => read((await pool.ask(CALL, carry(exchange))) as CarriedAnswer);
}

/** In a worker thread: gives a call to the main thread, which knows who has the least in hand. */
export function callThroughMain(member: ThreadMember): (exchange: Exchange) => Promise<EncodedResponse> {
  return async (exchange) => read((await member.link.ask(CALL, carry(exchange))) as CarriedAnswer);
}

/** In the main thread: passes on what worker threads call. */
export function passCalls(pool: ThreadPool): void {
  pool.serve(
    CALL,
    answering((call) => pool.ask(CALL, call)),
  );
}

/** In a worker thread: serves calls that the main thread hands over. */
export function serveCalls(member: ThreadMember, context: Within): void {
  member.serve(
    CALL,
    answering((call) => answerOf(context, call as CarriedCall)),
  );
}
