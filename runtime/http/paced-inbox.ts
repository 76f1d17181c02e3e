// Messages of a WebSocket that wait for the handler that reads them. They wait as bytes, which are counted, and are decoded
// when they are asked for: a peer can neither fill the memory nor, with many small messages, keep the event loop from others.

/** Bytes that one stream decodes in one turn of the event loop, and what a message costs besides its own. */
const TURN_BYTES = 32 << 10;
const MESSAGE_BYTES = 32;
/** What may wait. */
const MESSAGES_MAX = 10_000;
const BYTES_MAX = 16 << 20;
/** A peer that sends nothing but invalid messages must not fill the log. */
const TOLD_MAX = 20;

interface Reader {
  resolve(message: unknown): void;
  reject(error: Error): void;
}

export interface PacedInboxOptions {
  /** Throws for a message that is not valid: it is told and dropped. */
  decode(data: Buffer): unknown;
  dropped(problem: string): void;
  endMessage: string;
}

export class PacedInbox {
  private readonly waiting: Buffer[] = [];
  private readonly readers: Reader[] = [];
  private bytes = 0;
  private ended = false;
  private told = 0;
  /** What was decoded in this turn; a new turn begins when `isTurning` ends. */
  private turnBytes = 0;
  private isTurning = false;

  constructor(private readonly options: PacedInboxOptions) {}

  /** Takes a message; false when there is no room for it. */
  put(data: Buffer): boolean {
    if (this.ended) return true;
    if (this.waiting.length >= MESSAGES_MAX || this.bytes + data.length > BYTES_MAX) return false;
    this.waiting.push(data);
    this.bytes += data.length;
    this.deliver();
    return true;
  }

  /** What has arrived can still be read; then readers are refused. */
  end(): void {
    this.ended = true;
    this.deliver();
  }

  take(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.readers.push({ resolve, reject });
      this.deliver();
    });
  }

  private deliver(): void {
    while (this.readers.length > 0 && this.waiting.length > 0) {
      if (this.turnBytes >= TURN_BYTES) return;
      const data = this.waiting.shift()!;
      this.bytes -= data.length;
      this.spend(data.length + MESSAGE_BYTES);
      this.decode(data);
    }
    if (!this.ended || this.waiting.length > 0) return;
    for (const reader of this.readers.splice(0))
      reader.reject(Object.assign(new Error(this.options.endMessage), { code: "Unknown" }));
  }

  private decode(data: Buffer): void {
    let message: unknown;
    try {
      message = this.options.decode(data);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (++this.told <= TOLD_MAX)
        this.options.dropped(this.told < TOLD_MAX ? problem : `${problem} (the last one that is told of this stream)`);
      return;
    }
    this.readers.shift()?.resolve(message);
  }

  private spend(bytes: number): void {
    this.turnBytes += bytes;
    if (this.isTurning) return;
    this.isTurning = true;
    setImmediate(() => {
      this.isTurning = false;
      this.turnBytes = 0;
      this.deliver();
    });
  }
}
