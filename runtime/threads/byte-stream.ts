// A stream of bytes in both directions over a channel. One chunk of each direction is on its way at a time, so that a
// slow reader holds up its writer and nobody else. Messages that are no bytes go to `control`.
import { Duplex } from "node:stream";
import { ThreadLost, type Channel } from "./link";

const MORE = "more";
const END = "end";

type Done = (error?: Error | null) => void;

export class ByteStream extends Duplex {
  private written: Done | null = null;
  private owesMore = false;
  private peerEnded = false;

  constructor(
    private readonly channel: Channel,
    private readonly control: (message: unknown) => void = () => undefined,
    /** Whose bytes these are, as on a socket. */
    readonly remoteAddress?: string,
  ) {
    super({ allowHalfOpen: true });
    this.on("error", () => undefined);
    channel.onMessage = (message) => this.receive(message);
    channel.onClose = (lost) => this.peerGone(lost);
  }

  private receive(message: unknown): void {
    if (message instanceof Uint8Array) this.chunk(message);
    else if (message === MORE) this.release(null);
    else if (message === END) {
      this.peerEnded = true;
      this.push(null);
    } else this.control(message);
  }

  private chunk(bytes: Uint8Array): void {
    if (this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))) this.channel.send(MORE);
    else this.owesMore = true;
  }

  private release(error: Error | null): void {
    const done = this.written;
    this.written = null;
    done?.(error);
  }

  /** After both ends were said the other side only was quicker: what it sent is still there to be read. */
  private peerGone(lost: boolean): void {
    if (!this.peerEnded || !this.writableFinished) this.destroy(lost ? new ThreadLost() : undefined);
  }

  override _read(): void {
    if (!this.owesMore) return;
    this.owesMore = false;
    this.channel.send(MORE);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const own = new Uint8Array(chunk); // a chunk is a window on a larger buffer, which would be copied as a whole
    this.written = done;
    this.channel.send(own, [own.buffer]);
  }

  override _final(done: Done): void {
    this.channel.send(END);
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.channel.close();
    this.release(error ?? new Error("the stream was closed"));
    done(error);
  }
}
