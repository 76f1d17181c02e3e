// Runs the handler of a stream endpoint on an open channel (contract S-9, S-10).
import { Sink, Socket, Stream, type MessageChannel } from "../native/streams";
import type { Exchange } from "./exchange";
import { fromThrown } from "./failure";
import { invoke } from "./invoke";
import type { RequestLog } from "./request-log";

function objectFor(protocol: string, channel: MessageChannel): Socket | Sink | Stream {
  if (protocol === "streamInOut") return new Socket(channel);
  return protocol === "streamIn" ? new Stream(channel) : new Sink(channel);
}

/** The value that a `streamIn` handler returned, in the SDK's envelope. */
function payloadOf(result: unknown): unknown {
  return (result as { payload?: unknown } | null | undefined)?.payload;
}

export function runStream(
  exchange: Exchange,
  handler: (...args: unknown[]) => unknown,
  channel: MessageChannel,
  log: RequestLog,
): void {
  const { protocol } = exchange.endpoint.model;
  const isIn = protocol === "streamIn";
  log.started(exchange);
  log.completed(exchange, "ok", null);
  invoke(handler, [exchange.request, objectFor(protocol, channel)], {
    done: (result) => {
      if (!isIn) return;
      const payload = payloadOf(result);
      if (payload === undefined || payload === null) log.warn(exchange, "responded with empty response");
      else respond(exchange, payload, channel, log);
      channel.close();
    },
    failed: (thrown) => {
      const failure = fromThrown(thrown);
      log.warn(exchange, `responded with error: ${failure.internal ?? failure.message}`);
      if (isIn) channel.close();
    },
  });
}

function respond(exchange: Exchange, payload: unknown, channel: MessageChannel, log: RequestLog): void {
  try {
    channel.send(payload);
  } catch (error) {
    log.warn(exchange, `the response could not be sent: ${error instanceof Error ? error.message : String(error)}`);
  }
}
