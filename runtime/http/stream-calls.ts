// Streams between services (contract S-1…S-8 for callers): within one process both ends of a WebSocket without the socket.
import type { Request } from "../native/request";
import { WebSocketClient } from "../native/streams";
import type { CallOpts } from "../native/types";
import type { MessageCodec } from "../schema";
import { checkPayload, encodeCall } from "./call-encoder";
import { callerOf, exchangeFor, findTarget, sourceExchange, type CallContext } from "./calls";
import type { Exchange } from "./exchange";
import { Failure, fromCodec } from "./failure";
import { openPeerStream, StreamRefused } from "./peer-streams";
import type { Peer } from "./peers";
import { admit, decodeHead, NO_HANDLER } from "./service-side";
import { PacedInbox } from "./paced-inbox";
import {
  CLIENT_END,
  createChannel,
  encodeMessage,
  NO_MESSAGES,
  notRead,
  SERVER_END,
  UNSENT_BYTES_MAX,
  type Carrier,
} from "./stream-channel";
import type { StreamCodecCache } from "./stream-codecs";
import { runStream } from "./stream-handler";

/** How callers learn that a stream was refused (Appendix B, G-47): a plain error with a debug text. */
function refused(failure: Failure, reason: string): Error {
  const text = `failed to make api call: Error { code: ${failure.code === "unknown" ? "Unknown" : pascal(failure.code)}, message: ${JSON.stringify(failure.message)}, internal_message: ${reason}, details: None, stack: None }`;
  return Object.assign(new Error(text), { code: "GenericFailure" });
}

const pascal = (code: string): string =>
  code
    .split("_")
    .map((w) => w[0]!.toUpperCase() + w.slice(1))
    .join("");
const STATUS_NAMES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  500: "Internal Server Error",
};

function refusedWith(reason: string): Error {
  return refused(new Failure("unknown", "failed connecting to websocket endpoint"), `Some(${JSON.stringify(reason)})`);
}

function refusedStatus(status: number): Error {
  return refusedWith(`HTTP error: ${`${status} ${STATUS_NAMES[status] ?? ""}`.trim()}`);
}

const refusedBy = (failure: Failure): Error => refusedStatus(failure.status);

/** What may wait for an end that does not read: as much as a socket and the memory before it would take. */
const ROOM = { messages: 1_000_000, bytes: UNSENT_BYTES_MAX };

/** One direction: texts are decoded by the receiving side, in a later turn, as over a socket. */
interface Way {
  codec: MessageCodec | null;
  inbox: PacedInbox;
}

interface Link {
  server: Way;
  client: Way;
  open: boolean;
}

function way(codec: MessageCodec | null, endMessage: string, dropped: (problem: string) => void): Way {
  const inbox = new PacedInbox({ codec: codec ?? NO_MESSAGES, endMessage, dropped, room: ROOM, isLater: true });
  return { codec, inbox };
}

function carrier(link: Link, { codec, inbox }: Way): Carrier {
  const close = (): void => {
    link.open = false;
    setImmediate(() => {
      link.server.inbox.end();
      link.client.inbox.end();
    });
  };
  return {
    get isOpen() {
      return link.open;
    },
    send(text) {
      if (!codec || inbox.put(text)) return;
      close();
      throw notRead();
    },
    close,
  };
}

/** The text of a message to the server. */
function encodeForServer(codec: MessageCodec | null, message: unknown): string {
  if (message === undefined || message === null)
    throw Object.assign(new Error("no message data provided"), { code: "InvalidArg" });
  return encodeMessage(codec, message);
}

function connect(exchange: Exchange, codecs: StreamCodecCache, context: CallContext): WebSocketClient {
  const handler = exchange.endpoint.handler();
  const problem = decodeHead(exchange) ?? admit(exchange, true) ?? (handler ? null : NO_HANDLER);
  if (problem || !handler) throw refusedBy(problem ?? NO_HANDLER);
  const { toServer, toClient } = codecs.of(exchange.endpoint.model);
  const dropped = (problem: string): void => context.log.warn(exchange, `failed to parse incoming message: ${problem}`);
  const server = way(toServer, SERVER_END, dropped);
  const client = way(toClient, CLIENT_END, dropped);
  const link: Link = { server, client, open: true };
  const clientChannel = createChannel(carrier(link, server), client.inbox, (message) =>
    encodeForServer(toServer, message),
  );
  const serverChannel = createChannel(carrier(link, client), server.inbox, (message) =>
    encodeMessage(toClient, message),
  );
  setImmediate(() => runStream(exchange, handler, serverChannel, context.log));
  return new WebSocketClient(clientChannel);
}

/** The same with a service of another process. */
async function connectPeer(
  peer: Peer,
  exchange: Exchange,
  codecs: StreamCodecCache,
  context: CallContext,
  from: Request | null,
): Promise<WebSocketClient> {
  const stream = { codecs: codecs.of(exchange.endpoint.model), encode: encodeForServer, log: context.log };
  try {
    return await openPeerStream(peer, exchange, context.peers.callerName(from), stream);
  } catch (error) {
    if (!(error instanceof StreamRefused)) throw error;
    throw error.status === 0 ? refusedWith(error.message) : refusedStatus(error.status);
  }
}

/** The server refuses auth data that does not have its type, so the caller learns no more than the status. */
function streamCaller(...[context, source, opts]: Parameters<typeof callerOf>): ReturnType<typeof callerOf> {
  try {
    return callerOf(context, source, opts);
  } catch (error) {
    throw error instanceof Failure ? refusedBy(error) : error;
  }
}

/** Resolves to the calling side. Rejects with a plain error when the stream is refused. */
export async function openStream(
  context: CallContext,
  codecs: StreamCodecCache,
  target: [string, string],
  call: { payload: unknown; from: Request | null; opts: CallOpts | undefined },
): Promise<WebSocketClient> {
  await checkPayload(call.payload);
  const source = sourceExchange(call.from);
  const caller = streamCaller(context, source, call.opts);
  try {
    const endpoint = findTarget(context, ...target);
    if (endpoint.kind !== "stream") throw new Failure("not_found", "no handshake schema found");
    const encoded = await encodeCall(endpoint, call.payload);
    const exchange = exchangeFor(endpoint, encoded, context, source, call.from);
    exchange.caller = caller;
    const peer = context.peers.of(endpoint.model.service);
    return peer ? await connectPeer(peer, exchange, codecs, context, call.from) : connect(exchange, codecs, context);
  } catch (error) {
    if (error instanceof Error && !(error instanceof Failure) && "code" in error && error.code === "GenericFailure")
      throw error;
    const failure = fromCodec(error);
    throw refused(failure, failure.internal === null ? "None" : `Some(${JSON.stringify(failure.internal)})`);
  }
}
