// The listener: node:http with limits against slow, huge and malformed input, upgrades, and a graceful end.
import { createServer, ServerResponse, type IncomingMessage, type Server } from "node:http";
import { Server as NetServer, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
  accepted,
  answerOn,
  IDLE_TIMEOUT_MS,
  idleConnections,
  latest,
  withoutTimer,
  type Connection,
} from "./connections";
import { malformedAnswer } from "./malformed";

/** The official gateway takes targets and heads of about 60 kB. */
const MAX_HEAD_BYTES = 72 << 10;
/** A head has to arrive within this time, a whole request within the other. */
const HEAD_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 300_000;
const CHECK_MS = 5_000;
const DRAIN_POLL_MS = 50;
/** A client that has just connected sends its request within this time, or is of those that connect ahead of need. */
const FIRST_REQUEST_MS = 1000;
/** How long a peer that was told of the end may take to end its own side. */
const LINGER_MS = 1000;
/** How long the rest of a refused request is read. */
const REFUSED_LINGER_MS = 5000;
/** A connection that is silent for so long is probed by the kernel: the client of a stream may have gone without a word. */
const PROBE_MS = 60_000;
/** Turns of the event loop in which a draining listener reads what had arrived before. */
const READING_TURNS = 2;

export interface Application {
  serve(req: IncomingMessage, res: ServerResponse): void;
  /** Whether an upgrade request is for a stream (or for nothing): others are served as if they asked for none. */
  takesUpgrade(req: IncomingMessage): boolean;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** An error of the host itself: the request is lost, the process goes on. */
  failed(error: unknown): void;
  readonly hasStreams: boolean;
}

/** An answer for an upgrade request that is refused after all; it ends the connection. */
export function responseOn(req: IncomingMessage, socket: Duplex): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket as Socket);
  res.on("finish", () => socket.end());
  return res;
}

export class Listener {
  private readonly server: Server;
  /** Connections that speak HTTP. */
  private readonly connections = new Set<Connection>();
  private idleTimer: NodeJS.Timeout | undefined;
  private draining = false;

  constructor(private readonly app: Application) {
    this.server = createServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      requireHostHeader: false,
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_MS,
    });
    this.server.maxHeadersCount = 0;
    const serve = (req: IncomingMessage, res: ServerResponse): void => this.serve(req, res);
    this.server.on("request", serve);
    this.server.on("checkExpectation", serve);
    this.server.on("connection", (socket: Socket) => this.track(socket));
    this.server.on("connect", (_req, socket: Duplex) => refuseTunnel(socket as Socket));
    this.server.on("clientError", (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket) =>
      refuse(error, socket),
    );
    if (app.hasStreams)
      this.server.on("upgrade", (req, socket: Duplex, head: Buffer) => this.upgrade(req, socket, head));
  }

  get port(): number {
    return (this.server.address() as AddressInfo | null)?.port ?? 0;
  }

  private track(socket: Connection): void {
    // One whose upgrade was ignored comes again.
    if (this.connections.has(socket)) return;
    this.connections.add(socket);
    socket[accepted] = performance.now();
    withoutTimer(socket);
    if (this.draining) leaveInStages(socket);
    socket.once("close", () => this.connections.delete(socket));
  }

  /** Ends connections without a request: node's own list of idle ones leaves out those that never sent any. */
  private endIdle(): void {
    const since = performance.now() - FIRST_REQUEST_MS;
    for (const socket of this.connections) {
      // The request of a new one may be on its way, and its client could not tell that it was not served.
      const isNew = !socket[latest] && (socket[accepted] ?? 0) > since;
      if (!isNew && !answerOn(socket) && socket.writableLength === 0) socket.destroySoon();
    }
  }

  /** Ends connections that were idle for IDLE_TIMEOUT_MS, as their answers announced. */
  private leaveIdle(): void {
    for (const socket of idleConnections(this.connections, IDLE_TIMEOUT_MS / CHECK_MS)) {
      leaveInStages(socket);
      socket.destroySoon();
    }
  }

  private serve(req: IncomingMessage, res: ServerResponse): void {
    const connection = req.socket as Connection;
    if (this.draining && !endsWith(connection, res)) return;
    connection[latest] = res;
    try {
      this.app.serve(req, res);
    } catch (error) {
      this.app.failed(error);
      res.destroy();
    }
  }

  private upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!this.app.takesUpgrade(req)) return this.serveWithoutUpgrade(req, socket, head);
    socket.on("error", () => socket.destroy());
    this.connections.delete(socket as Socket);
    this.app.upgrade(req, socket, head);
  }

  /**
   * A server may ignore `Upgrade`: the request is given back to node without it, body and all. Node has taken off its
   * listeners but these two, and adds all of them again.
   */
  private serveWithoutUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      const value = withoutUpgrade(req.rawHeaders[i]!, req.rawHeaders[i + 1]!);
      if (value !== "") lines.push(`${req.rawHeaders[i]}: ${value ?? req.rawHeaders[i + 1]}`);
    }
    socket.removeAllListeners("resume").removeAllListeners("pause");
    socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
    this.server.emit("connection", socket);
  }

  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host, port }, () => {
        this.server.off("error", reject);
        this.idleTimer = setInterval(() => this.leaveIdle(), CHECK_MS).unref();
        resolve();
      });
    });
  }

  /**
   * Stops accepting and resolves when the last answer is out. A connection ends with the answer to the last request
   * that was taken from it; those without one are closed, when what has already arrived has been read. A connection that
   * is new has a second for its first request.
   */
  async drain(): Promise<void> {
    this.draining = true;
    clearInterval(this.idleTimer);
    if (!this.server.listening) return;
    // Not http's own close: it also destroys connections whose answer is made but not yet sent.
    const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(this.server, () => resolve()));
    for (const socket of this.connections) {
      sayLast(socket[latest]);
      leaveInStages(socket);
    }
    for (let turn = 0; turn < READING_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.endIdle();
    const timer = setInterval(() => this.endIdle(), DRAIN_POLL_MS);
    await closed;
    clearInterval(timer);
  }
}

/**
 * Makes node end a connection in stages: a request that crosses the end on its way would otherwise turn it into a
 * reset, which may take the last answer from its reader (RFC 9112, 9.6). What still arrives is thrown away.
 */
function leaveInStages(socket: Socket): void {
  socket.destroySoon = () => {
    if (socket.writableEnded) return;
    socket.end();
    const limit = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once("close", () => clearTimeout(limit));
  };
}

/** Makes an answer end its connection, when its head is not made yet. */
function sayLast(answer: ServerResponse | undefined): void {
  if (answer && !answer.headersSent) answer.shouldKeepAlive = false;
}

/**
 * Lets one more answer end a draining connection. False when an earlier one already does: its client knows by it that
 * this request was not served, and may send it elsewhere (RFC 9112, 9.6).
 */
function endsWith(connection: Connection, answer: ServerResponse): boolean {
  const before = connection[latest];
  if (!connection.writable) return false;
  if (before && !before.shouldKeepAlive) {
    if (before.headersSent) return false;
    before.shouldKeepAlive = true;
  }
  answer.shouldKeepAlive = false;
  return true;
}

/** The options of `Connection` that go with an upgrade. */
const UPGRADE_OPTION = /^(?:upgrade|http2-settings)$/i;

/** What is left of a header when its request asks for no upgrade: "" for nothing, undefined for all of it. */
function withoutUpgrade(name: string, value: string): string | undefined {
  if (UPGRADE_OPTION.test(name)) return "";
  if (name.toLowerCase() !== "connection") return undefined;
  const options = value.split(",").map((option) => option.trim());
  return options.filter((option) => !UPGRADE_OPTION.test(option)).join(", ");
}

/** Connections whose end was told with an answer. */
const refused = new WeakSet<Socket>();

/**
 * Answers what node could not parse. When another answer is already under way the connection is cut instead. What the client is still sending is
 * read and dropped for a while: closing before it is read would reset the connection and take the answer with it (RFC 9112, 9.6).
 */
function refuse(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket): void {
  const isGone = error.code === "ECONNRESET" || error.code === "EPIPE";
  if (refused.has(socket) && !isGone) return;
  if (!socket.writable || isGone || answerOn(socket)?.headersSent) {
    socket.destroy();
    return;
  }
  refused.add(socket);
  const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ""] ?? 400;
  socket.end(malformedAnswer(status, error.code === "HPE_INVALID_METHOD" ? error.rawPacket : undefined));
  cutLater(socket);
}

/** Answers a CONNECT. Node has let go of its connection: nobody else reads what follows, or listens to its errors. */
function refuseTunnel(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.resume();
  socket.end(malformedAnswer(405));
  cutLater(socket);
}

function cutLater(socket: Socket): void {
  const cut = setTimeout(() => socket.destroy(), REFUSED_LINGER_MS).unref();
  socket.once("close", () => clearTimeout(cut));
}
