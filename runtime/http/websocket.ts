// WebSocket streams (contract 5.2): the upgrade with the official checks and texts, and the socket as a carrier of
// messages.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { admit, NO_HANDLER } from "./service-side";
import type { Exchange } from "./exchange";
import { Failure } from "./failure";
import type { Pending, Replier } from "./reply";
import type { RequestLog } from "./request-log";
import type { StreamCodecCache } from "./stream-codecs";
import { PacedInbox } from "./paced-inbox";
import {
  createChannel,
  encodeMessage,
  NO_MESSAGES,
  SERVER_END,
  UNSENT_BYTES_MAX,
  type Carrier,
} from "./stream-channel";
import { runStream } from "./stream-handler";
import type { MessageCodec } from "../schema";

/** As a request's body, since it is decoded at once. */
const MAX_MESSAGE_BYTES = 2 << 20;
const CLOSE_LIMIT_MS = 1000;
const SUBPROTOCOL = "encore-ws";

/** A request that came as an upgrade: its socket and the bytes behind its head. */
export interface Upgrading {
  socket: Duplex;
  head: Buffer;
}

/** The official text of what is wrong with an upgrade request (S-4). */
export function upgradeProblem(req: IncomingMessage): string | null {
  const { headers } = req;
  const includes = (value: string | undefined, word: string): boolean =>
    value
      ?.toLowerCase()
      .split(",")
      .some((p) => p.trim() === word) ?? false;
  if (!includes(headers.connection, "upgrade")) return "Connection header did not include 'upgrade'";
  if (headers.upgrade?.toLowerCase() !== "websocket") return "`Upgrade` header did not include 'websocket'";
  if (headers["sec-websocket-version"] !== "13") return "`Sec-WebSocket-Version` header did not include '13'";
  return headers["sec-websocket-key"] === undefined ? "`Sec-WebSocket-Key` header missing" : null;
}

export class StreamServer {
  private readonly server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  private readonly lines = new WeakMap<IncomingMessage, string[]>();
  private readonly open = new Set<WebSocket>();

  constructor(
    private readonly codecs: StreamCodecCache,
    private readonly log: RequestLog,
  ) {
    this.server.on("headers", (headers, req) => {
      const lines = this.lines.get(req) ?? [];
      for (let i = 0; i < lines.length; i += 2) headers.push(`${lines[i]}: ${lines[i + 1]}`);
    });
  }

  /** Decides about a decoded request to a stream endpoint and, when it is let in, upgrades it. */
  accept(exchange: Exchange, pending: Pending, upgrading: Upgrading | undefined, replier: Replier): void {
    const problem = upgradeProblem(pending.req);
    if (problem !== null) return replier.fail(pending, new Failure("invalid_argument", problem, problem));
    const handler = exchange.endpoint.handler();
    const refused = admit(exchange, exchange.isInside) ?? (handler ? null : NO_HANDLER);
    if (refused || !handler || !upgrading) return replier.fail(pending, refused ?? NO_HANDLER);
    this.lines.set(pending.req, replier.lines(pending, []));
    pending.res.detachSocket(upgrading.socket as never);
    this.server.handleUpgrade(pending.req, upgrading.socket, upgrading.head, (socket) => {
      const { toServer, toClient } = this.codecs.of(exchange.endpoint.model);
      this.open.add(socket);
      socket.on("close", () => this.open.delete(socket));
      const inbox = this.receive(socket, toServer, exchange);
      readInTurns(upgrading.socket);
      const channel = createChannel(carrierOf(socket, upgrading.socket), inbox, (message) =>
        encodeMessage(toClient, message),
      );
      runStream(exchange, handler, channel, this.log);
    });
  }

  /** Valid messages go to the handler; others are logged and dropped, the socket stays open (S-5). */
  private receive(socket: WebSocket, codec: MessageCodec | null, exchange: Exchange): PacedInbox {
    const inbox = new PacedInbox({
      codec: codec ?? NO_MESSAGES,
      dropped: (problem) => this.log.warn(exchange, `failed to parse incoming message: ${problem}`),
      endMessage: SERVER_END,
    });
    socket.on("message", (data: Buffer) => {
      if (!codec || socket.readyState !== socket.OPEN || inbox.put(data)) return;
      this.log.warn(exchange, "the stream is closed: its handler does not read the messages that come in");
      socket.close(1013);
    });
    socket.on("error", () => socket.terminate());
    socket.on("close", () => inbox.end());
    return inbox;
  }

  /** Ends all streams: the process shuts down. Peers that do not answer are cut. */
  closeAll(): void {
    for (const socket of this.open) {
      socket.close(1001);
      setTimeout(() => socket.terminate(), CLOSE_LIMIT_MS).unref();
    }
  }
}

/** A connection hands over one piece a turn: taking thousands of small frames apart is work too, and pings are answered. */
function readInTurns(connection: Duplex): void {
  connection.on("data", () => {
    connection.pause();
    setImmediate(() => connection.resume());
  });
}

/** After our close frame the connection ends: the official server does not wait for the peer's (S-8). */
function carrierOf(socket: WebSocket, connection: Duplex): Carrier {
  return {
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    send(text) {
      if (socket.bufferedAmount > UNSENT_BYTES_MAX) {
        socket.terminate();
        throw Object.assign(new Error("channel closed: the client does not read"), { code: "Unknown" });
      }
      socket.send(text);
    },
    close() {
      if (socket.readyState !== socket.OPEN) return;
      socket.close();
      connection.end();
    },
  };
}
