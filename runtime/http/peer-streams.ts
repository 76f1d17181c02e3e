// Streams to services of other processes: the calling side of a WebSocket (contract 5.2).
import { WebSocket } from "ws";
import { WebSocketClient } from "../native/streams";
import type { MessageCodec } from "../schema";
import type { Exchange } from "./exchange";
import type { Peer } from "./peers";
import type { RequestLog } from "./request-log";
import { CLIENT_END, createChannel, Inbox, type Carrier } from "./stream-channel";
import type { StreamCodecs } from "./stream-codecs";

const MAX_MESSAGE_BYTES = 64 << 20;

/** A service refused a stream; `status` 0 = it could not be reached. */
export class StreamRefused extends Error {
  constructor(
    readonly status: number,
    reason: string,
  ) {
    super(reason);
  }
}

/** Lines as the ws package takes them; repeated cookies are one header. */
function recordOf(lines: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {};
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i] ?? "";
    const known = record[name];
    record[name] =
      known === undefined ? (lines[i + 1] ?? "") : `${known}${name === "cookie" ? "; " : ", "}${lines[i + 1]}`;
  }
  return record;
}

function receive(socket: WebSocket, codec: MessageCodec | null, dropped: (problem: string) => void): Inbox {
  const inbox = new Inbox(CLIENT_END);
  socket.on("message", (data: Buffer) => {
    if (!codec) return;
    try {
      inbox.put(codec.decode(data));
    } catch (error) {
      dropped(error instanceof Error ? error.message : String(error));
    }
  });
  socket.on("error", () => socket.terminate());
  socket.on("close", () => inbox.end());
  return inbox;
}

function carrierOf(socket: WebSocket): Carrier {
  return {
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    send: (text) => socket.send(text),
    close: () => socket.close(),
  };
}

export interface PeerStream {
  codecs: StreamCodecs;
  encode(codec: MessageCodec | null, message: unknown): string;
  log: RequestLog;
}

/** Opens a stream. @throws StreamRefused */
export function openPeerStream(
  peer: Peer,
  exchange: Exchange,
  from: string,
  { codecs: { toServer, toClient }, encode, log }: PeerStream,
): Promise<WebSocketClient> {
  const { inbound, caller, trace } = exchange;
  const lines = peer.headers(inbound.lines, { from, trace: trace.parent, user: caller });
  const address = `${peer.url.protocol === "https:" ? "wss:" : "ws:"}//${peer.url.host}${peer.path(inbound.target)}`;
  const socket = new WebSocket(address, {
    headers: recordOf(lines),
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  const inbox = receive(socket, toClient, (problem) =>
    log.warn(exchange, `failed to parse incoming message: ${problem}`),
  );
  return new Promise((resolve, reject) => {
    socket.once("open", () =>
      resolve(new WebSocketClient(createChannel(carrierOf(socket), inbox, (message) => encode(toServer, message)))),
    );
    socket.once("unexpected-response", (request, answer) => {
      request.destroy();
      reject(new StreamRefused(answer.statusCode ?? 0, `HTTP error: ${answer.statusCode}`));
    });
    socket.once("error", (error) => reject(new StreamRefused(0, error.message)));
  });
}
