// Streams to services of other processes: the calling side of a WebSocket (contract 5.2).
import { WebSocket } from "ws";
import { WebSocketClient } from "../native/streams";
import type { MessageCodec } from "../schema";
import type { Exchange } from "./exchange";
import type { Peer } from "./peers";
import type { RequestLog } from "./request-log";
import { PacedInbox, type Gate } from "./paced-inbox";
import { CLIENT_END, createChannel, NO_MESSAGES, notRead, UNSENT_BYTES_MAX, type Carrier } from "./stream-channel";
import type { StreamCodecs } from "./stream-codecs";

const MAX_MESSAGE_BYTES = 64 << 20;
const PROBE_MS = 30_000;

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

/** While its messages are not read a connection is not read either: the service on the other side notices, and waits or ends. */
function gateOf(socket: WebSocket): Gate {
  let probe: NodeJS.Timeout | undefined;
  const open = (): void => {
    clearInterval(probe);
    socket.resume();
  };
  socket.once("close", () => clearInterval(probe));
  return {
    open,
    close() {
      if (socket.isPaused) return;
      socket.pause();
      // A connection that is not read does not tell that it has ended, one that is written to does.
      probe = setInterval(() => socket.ping(), PROBE_MS).unref();
    },
  };
}

function receive(socket: WebSocket, codec: MessageCodec | null, dropped: (problem: string) => void): PacedInbox {
  const gate = gateOf(socket);
  const inbox = new PacedInbox({ codec: codec ?? NO_MESSAGES, dropped, endMessage: CLIENT_END, gate });
  socket.on("message", (data: Buffer) => {
    if (codec) inbox.put(data);
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
    send(text) {
      if (socket.bufferedAmount > UNSENT_BYTES_MAX) {
        socket.terminate();
        throw notRead();
      }
      socket.send(text);
    },
    close() {
      // What is held back is thrown away: nobody will read it, and the answer to the end is behind it.
      socket.resume();
      socket.close();
    },
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
