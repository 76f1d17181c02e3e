// The main thread's side of requests: hands each to a worker thread and writes down what comes back. The connection, its
// limits and its end stay with the listener.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ByteStream, ThreadLost, type Channel, type ThreadPool } from "../threads";
import { announcesBody } from "./body";
import { REQUEST, UPGRADE, type CarriedHead, type CarriedRequest, type CarriedUpgrade } from "./thread-messages";

function carry(req: IncomingMessage, hasBody: boolean): CarriedRequest {
  const { method = "GET", url = "/", httpVersion, rawHeaders, headers, socket } = req;
  return { method, url, httpVersion, rawHeaders, headers, remoteAddress: socket.remoteAddress ?? "", hasBody };
}

/** One request in the hands of a thread. */
class Relay {
  private bytes: ByteStream | null = null;

  /** `abandoned` answers in place of a thread that ended before its answer began. */
  constructor(
    private readonly channel: Channel,
    private readonly release: () => void,
    private readonly res: ServerResponse,
    private readonly abandoned: () => void,
  ) {
    channel.onMessage = (message) => this.head(message as CarriedHead);
    channel.onClose = (lost) => this.over(lost);
    res.once("close", () => {
      if (this.bytes) this.bytes.destroy();
      else channel.close();
    });
  }

  /** The channel's stream of bytes, once there is use for it. */
  private stream(): ByteStream {
    if (this.bytes) return this.bytes;
    const bytes = new ByteStream(this.channel, (message) => this.head(message as CarriedHead));
    bytes.once("close", () => this.over(bytes.errored instanceof ThreadLost));
    return (this.bytes = bytes);
  }

  sendBody(req: IncomingMessage): void {
    const bytes = this.stream();
    req.pipe(bytes);
    req.once("close", () => {
      if (!req.complete) bytes.destroy();
    });
    // What the thread did not want to read must not keep the connection from its next request.
    this.res.once("finish", () => {
      req.unpipe(bytes);
      req.resume();
    });
  }

  private head({ status, lines, whole, flush }: CarriedHead): void {
    this.release();
    try {
      this.res.writeHead(status, lines);
    } catch {
      this.res.destroy();
      return;
    }
    if (flush) this.res.flushHeaders();
    if (whole === undefined) {
      this.stream().pipe(this.res);
      return;
    }
    this.channel.forget();
    if (whole === null) this.res.end();
    else this.res.end(whole);
  }

  /** The thread says no more. */
  private over(lost: boolean): void {
    const { res } = this;
    if (res.writableEnded) return;
    if (lost && !res.headersSent) this.abandoned();
    else res.destroy();
  }
}

/** Hands a request over. `abandoned` is called instead of an answer when no thread is there to give one. */
export function relayRequest(pool: ThreadPool, req: IncomingMessage, res: ServerResponse, abandoned: () => void): void {
  const hasBody = announcesBody(req);
  const opened = pool.open(REQUEST, carry(req, hasBody));
  if (!opened) return abandoned();
  const relay = new Relay(opened.channel, opened.release, res, abandoned);
  if (hasBody) relay.sendBody(req);
}

/** Hands a connection over whose request asks for an upgrade; `socket` is cut when no thread is there. */
export function relayUpgrade(pool: ThreadPool, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  const carried: CarriedUpgrade = { ...carry(req, false), head: new Uint8Array(head) };
  const opened = pool.open(UPGRADE, carried);
  if (!opened) {
    socket.destroy();
    return;
  }
  opened.release();
  const bytes = new ByteStream(opened.channel);
  socket.pipe(bytes).pipe(socket);
  socket.once("close", () => bytes.destroy());
  // What was written before a regular end has left by then; nothing else is worth waiting for.
  bytes.once("close", () => (socket as Socket).destroySoon());
}
