// The gateway's way to services of other processes (contract H-3): the request goes on as it came, with who calls in place of
// what the client may have said about it, and so does the answer.
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Exchange } from "./exchange";
import { headersOf, type HeaderLines } from "./inbound";
import { GATEWAY, type Peer } from "./peers";
import type { Pending, Replier } from "./reply";
import type { Upgrading } from "./websocket";

/** Headers of one connection only (RFC 9110, 7.6.1), those that the gateway makes anew, and the trace id, which it adds. */
const HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-encore-trace-id",
  "date",
  "expect",
]);
const UPGRADE_LINES = ["connection", "Upgrade", "upgrade", "websocket"];
const BAD_GATEWAY = 502;

function endToEnd(lines: HeaderLines): string[] {
  const kept: string[] = [];
  for (let i = 0; i < lines.length; i += 2)
    if (!HOP.has((lines[i] ?? "").toLowerCase())) kept.push(lines[i] ?? "", lines[i + 1] ?? "");
  return kept;
}

export class Forwarder {
  private readonly upgraded = new Set<Socket>();

  constructor(private readonly replier: Replier) {}

  private linesFor(exchange: Exchange, peer: Peer): string[] {
    const lines = [...endToEnd(exchange.inbound.lines), ...headersOf(exchange.inbound).forwardedLines()];
    return peer.headers(lines, { from: `gateway:${GATEWAY}`, trace: exchange.trace, user: exchange.caller });
  }

  private away(pending: Pending): void {
    const { res } = pending;
    if (res.headersSent) res.destroy();
    else this.replier.rejectBare(pending, BAD_GATEWAY);
  }

  private answer(pending: Pending, answer: IncomingMessage): void {
    const { res } = pending;
    try {
      res.writeHead(answer.statusCode ?? BAD_GATEWAY, this.replier.lines(pending, endToEnd(answer.rawHeaders)));
    } catch {
      answer.destroy();
      return this.away(pending);
    }
    answer.on("error", () => res.destroy());
    answer.pipe(res);
    // A head that comes without a body, as at the start of an event stream, is passed on alone.
    setImmediate(() => {
      if (!res.destroyed && !res.writableEnded) res.flushHeaders();
    });
  }

  /** Once there is an answer it is the answer that fails, not the request, whose body nobody may have wanted. */
  private listen(sent: ClientRequest, pending: Pending): void {
    let isAnswered = false;
    sent.on("response", (answer) => {
      isAnswered = true;
      this.answer(pending, answer);
    });
    sent.on("error", () => {
      if (!isAnswered) this.away(pending);
    });
  }

  request(exchange: Exchange, pending: Pending, peer: Peer): void {
    const { req, res } = pending;
    const { method, target } = exchange.inbound;
    const sent = peer.request({ method, target, lines: this.linesFor(exchange, peer) });
    this.listen(sent, pending);
    res.on("error", () => undefined);
    res.once("close", () => {
      if (!res.writableFinished) sent.destroy();
    });
    // An answer that did not wait for the body: the rest is read, or the connection would never get to its next request.
    res.once("finish", () => {
      if (sent.writableEnded) return;
      req.unpipe(sent);
      req.resume();
      sent.destroy();
    });
    req.pipe(sent);
  }

  /** A stream: once the service has let it in, bytes go both ways. */
  upgrade(exchange: Exchange, pending: Pending, peer: Peer, { socket, head }: Upgrading): void {
    const { method, target } = exchange.inbound;
    const sent = peer.request({ method, target, lines: [...this.linesFor(exchange, peer), ...UPGRADE_LINES] }, true);
    this.listen(sent, pending);
    sent.on("upgrade", (answer, upstream, early) => {
      pending.res.detachSocket(socket as Socket);
      const lines = [...UPGRADE_LINES, ...this.replier.lines(pending, endToEnd(answer.rawHeaders))];
      let text = "HTTP/1.1 101 Switching Protocols\r\n";
      for (let i = 0; i < lines.length; i += 2) text += `${lines[i]}: ${lines[i + 1]}\r\n`;
      socket.write(`${text}\r\n`, "latin1");
      socket.write(early);
      upstream.write(head);
      this.join(socket, upstream);
    });
    sent.end();
  }

  private join(socket: Duplex, upstream: Socket): void {
    this.upgraded.add(upstream);
    socket.pipe(upstream).pipe(socket);
    upstream.on("error", () => socket.destroy());
    socket.once("close", () => upstream.destroy());
    upstream.once("close", () => {
      this.upgraded.delete(upstream);
      socket.end();
    });
  }

  /** Ends the streams that pass through here: the process shuts down. */
  closeAll(): void {
    for (const upstream of this.upgraded) upstream.destroySoon();
  }
}
