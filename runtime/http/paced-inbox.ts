// Messages of a stream that wait for who reads them. They wait as they came, are counted, and are decoded when they are asked
// for: the other side can neither fill the memory nor, with many small messages or a large one, keep the event loop from others.
import { LARGE_CHARS, type MessageCodec } from "../schema";

/** Bytes that one stream decodes in one turn of the event loop, and what a message costs besides its own. */
const TURN_BYTES = 32 << 10;
const MESSAGE_BYTES = 32;
/** What may wait, unless it is said otherwise. */
const ROOM: Room = { messages: 10_000, bytes: 16 << 20 };
/** A peer that sends nothing but invalid messages must not fill the log. */
const TOLD_MAX = 20;

interface Reader {
  resolve(message: unknown): void;
  reject(error: Error): void;
}

export interface Room {
  messages: number;
  bytes: number;
}

/** Whether the other side may go on sending. */
export interface Gate {
  close(): void;
  open(): void;
}

export interface PacedInboxOptions {
  /** Fails for a message that is not valid: it is told and dropped. */
  codec: Pick<MessageCodec, "decode" | "decodeLarge">;
  dropped(problem: string): void;
  endMessage: string;
  room?: Room;
  /** Where the other side can be held back: then no message is refused, and the gate is closed while there is no room. */
  gate?: Gate;
  /** Whether messages arrive in the next turn of the event loop, as over a socket. */
  isLater?: boolean;
}

export class PacedInbox {
  private readonly waiting: (Buffer | string)[] = [];
  /** What arrives in the next turn. */
  private coming: (Buffer | string)[] = [];
  private readonly readers: Reader[] = [];
  private readonly room: Room;
  private bytes = 0;
  private isHeld = false;
  private ended = false;
  private told = 0;
  /** What was decoded in this turn; a new turn begins when `isTurning` ends. */
  private turnBytes = 0;
  private isTurning = false;
  /** While a large message is decoded, over several turns, those behind it wait. */
  private isDecoding = false;

  constructor(private readonly options: PacedInboxOptions) {
    this.room = options.room ?? ROOM;
  }

  private get messages(): number {
    return this.waiting.length + this.coming.length;
  }

  /** Takes a message; false when there is no room for it. */
  put(data: Buffer | string): boolean {
    if (this.ended) return true;
    const { gate, isLater } = this.options;
    if (this.messages >= this.room.messages || this.bytes + data.length > this.room.bytes) {
      if (!gate) return false;
      this.isHeld = true;
      gate.close();
    }
    this.bytes += data.length;
    if (!isLater) this.waiting.push(data);
    else if (this.coming.push(data) === 1) setImmediate(() => this.arrive());
    this.deliver();
    return true;
  }

  private arrive(): void {
    for (const data of this.coming) this.waiting.push(data);
    this.coming = [];
    this.deliver();
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
    while (this.readers.length > 0 && this.waiting.length > 0 && !this.isDecoding) {
      if (this.turnBytes >= TURN_BYTES) return;
      const data = this.waiting.shift()!;
      this.bytes -= data.length;
      this.mayOpen();
      if (data.length > LARGE_CHARS) this.decodeLarge(data);
      else {
        this.spend(data.length + MESSAGE_BYTES);
        this.decode(data);
      }
    }
    if (!this.ended || this.messages > 0 || this.isDecoding) return;
    for (const reader of this.readers.splice(0))
      reader.reject(Object.assign(new Error(this.options.endMessage), { code: "Unknown" }));
  }

  /** Half of the room is free before the other side goes on, or it would be held at every message. */
  private mayOpen(): void {
    const { messages, bytes } = this.room;
    if (!this.isHeld || this.messages > messages / 2 || this.bytes > bytes / 2) return;
    this.isHeld = false;
    this.options.gate?.open();
  }

  private decode(data: Buffer | string): void {
    let message: unknown;
    try {
      message = this.options.codec.decode(data);
    } catch (error) {
      return this.drop(error);
    }
    this.readers.shift()?.resolve(message);
  }

  private decodeLarge(data: Buffer | string): void {
    this.isDecoding = true;
    const settle = (act: () => void): void => {
      this.isDecoding = false;
      act();
      this.deliver();
    };
    this.options.codec.decodeLarge(data).then(
      (message) => settle(() => this.readers.shift()?.resolve(message)),
      (error: unknown) => settle(() => this.drop(error)),
    );
  }

  private drop(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    if (++this.told <= TOLD_MAX)
      this.options.dropped(this.told < TOLD_MAX ? problem : `${problem} (the last one that is told of this stream)`);
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
