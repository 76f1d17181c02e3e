// A worker thread's side of requests: each arrives by a channel and is served as if it came over a socket of this thread.
import { IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ByteStream, type ThreadMember } from "../threads";
import { REQUEST, UPGRADE, type CarriedRequest, type CarriedUpgrade } from "./thread-messages";
import { ThreadResponse } from "./thread-response";

export interface RequestServer {
  serve(req: IncomingMessage, res: ServerResponse): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** A request whose body is read from `bytes`, when it has one. */
class ThreadRequest extends IncomingMessage {
  private reading = false;

  constructor(
    carried: CarriedRequest,
    private readonly bytes: ByteStream,
  ) {
    super(bytes as unknown as Socket);
    this.method = carried.method;
    this.url = carried.url;
    this.httpVersion = carried.httpVersion;
    this.rawHeaders = carried.rawHeaders;
    this.headers = carried.headers;
    if (!carried.hasBody) this.finish();
    bytes.once("close", () => {
      if (!this.complete) this.destroy();
    });
  }

  private finish(): void {
    this.complete = true;
    this.push(null);
  }

  override _read(): void {
    if (this.complete) return;
    this.bytes.resume();
    if (this.reading) return;
    this.reading = true;
    this.bytes.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) this.bytes.pause();
    });
    this.bytes.on("end", () => this.finish());
  }
}

export function serveRequests(member: ThreadMember, server: RequestServer): void {
  member.serve(REQUEST, (opening, channel) => {
    const carried = opening as CarriedRequest;
    const bytes = new ByteStream(channel, undefined, carried.remoteAddress);
    const res = new ThreadResponse(channel, bytes);
    server.serve(new ThreadRequest(carried, bytes), res as unknown as ServerResponse);
  });
  member.serve(UPGRADE, (opening, channel) => {
    const carried = opening as CarriedUpgrade;
    const socket = new ByteStream(channel, undefined, carried.remoteAddress);
    server.upgrade(new ThreadRequest(carried, socket), socket, Buffer.from(carried.head));
  });
}
