// The answer of a worker thread: what the http part needs of node's ServerResponse, with the main thread's real one at
// the other end of a channel. The head waits for the first piece, so that most answers are one message.
import { validateHeaderName, validateHeaderValue } from "node:http";
import { Writable } from "node:stream";
import type { ByteStream, Channel } from "../threads";
import type { CarriedHead } from "./thread-messages";

type Done = (error?: Error | null) => void;

export class ThreadResponse extends Writable {
  headersSent = false;
  private head: CarriedHead | null = null;
  private isWhole = false;

  constructor(
    private readonly channel: Channel,
    private readonly bytes: ByteStream,
  ) {
    super();
    this.on("error", () => undefined);
    bytes.once("close", () => this.destroy());
    this.once("finish", () => {
      if (this.isWhole) bytes.destroy();
    });
  }

  /** `lines`: names and values in turn. Throws for what node refuses, as its own does. */
  writeHead(status: number, lines: readonly string[]): this {
    for (let i = 0; i < lines.length; i += 2) {
      validateHeaderName(lines[i] ?? "");
      validateHeaderValue(lines[i] ?? "", lines[i + 1] ?? "");
    }
    this.head = { status, lines: [...lines] };
    this.headersSent = true;
    return this;
  }

  override end(chunk?: unknown, encoding?: unknown, done?: unknown): this {
    const head = this.head;
    const isPiece = typeof chunk === "string" || chunk instanceof Uint8Array;
    if (head && this.writableLength === 0 && (isPiece || typeof chunk !== "function")) {
      this.head = null;
      this.isWhole = true;
      this.channel.send({ ...head, whole: isPiece ? own(chunk) : null });
      this.channel.forget();
      const callback = typeof encoding === "function" ? encoding : done;
      return typeof callback === "function" ? super.end(callback as () => void) : super.end();
    }
    return super.end(chunk, encoding as BufferEncoding, done as (() => void) | undefined);
  }

  flushHeaders(): void {
    this.sendHead(true);
  }

  private sendHead(flush = false): void {
    if (this.head) this.channel.send(flush ? { ...this.head, flush } : this.head);
    this.head = null;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.sendHead();
    this.bytes.write(chunk, done);
  }

  override _final(done: Done): void {
    if (this.isWhole) return done();
    this.sendHead();
    this.bytes.end(done);
  }

  /** Cut off before its end: so is the client's connection. */
  override _destroy(error: Error | null, done: Done): void {
    if (!this.writableFinished) this.bytes.destroy();
    done(error);
  }
}

/** A buffer is often a window on a larger one, all of which would be copied. */
const own = (piece: string | Uint8Array): string | Uint8Array =>
  typeof piece === "string" ? piece : new Uint8Array(piece);
