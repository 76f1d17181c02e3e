// Message channels of streams: a queue of received messages whose readers wait, and an outgoing side that is either
// a WebSocket or the other end inside the process.
import type { MessageChannel } from "../native/streams";
import { EncodeError, type MessageCodec } from "../schema";

/** Received messages, in order. Readers wait for the next; after the end they are refused. */
export class Inbox {
  private readonly messages: unknown[] = [];
  private readonly readers: { resolve: (message: unknown) => void; reject: (error: Error) => void }[] = [];
  private ended = false;

  constructor(private readonly endMessage: string) {}

  put(message: unknown): void {
    if (this.ended) return;
    const reader = this.readers.shift();
    if (reader) reader.resolve(message);
    else this.messages.push(message);
  }

  end(): void {
    this.ended = true;
    for (const reader of this.readers.splice(0)) reader.reject(this.closed());
  }

  take(): Promise<unknown> {
    if (this.messages.length > 0) return Promise.resolve(this.messages.shift());
    if (this.ended) return Promise.reject(this.closed());
    return new Promise((resolve, reject) => this.readers.push({ resolve, reject }));
  }

  private closed(): Error {
    return Object.assign(new Error(this.endMessage), { code: "Unknown" });
  }
}

export const SERVER_END = "socket receive channel closed";
export const CLIENT_END = "websocket client receive channel closed";

/** What a channel needs of its carrier. */
export interface Carrier {
  /** Sends one JSON text. */
  send(text: string): void;
  close(): void;
  readonly isOpen: boolean;
}

/** Turns messages into texts; throws what says why one cannot be sent. */
export type EncodeMessage = (message: unknown) => string;

/** The text of a message to a client. Only objects are messages (N-1). */
export function encodeMessage(codec: MessageCodec | null, message: unknown): string {
  if (message === undefined || message === null) {
    throw new EncodeError(`Expect value to be Object, but received ${message === null ? "Null" : "Undefined"}`);
  }
  if (!codec) throw new Error("outgoing message body can't be empty");
  return codec.encode(message);
}

/** A channel over a carrier: messages are copied through their JSON texts in both directions. */
export function createChannel(carrier: Carrier, inbox: Pick<Inbox, "take">, encode: EncodeMessage): MessageChannel {
  return {
    send(message) {
      if (!carrier.isOpen) throw Object.assign(new Error("channel closed"), { code: "Unknown" });
      carrier.send(encode(message));
    },
    recv: () => inbox.take(),
    close: () => carrier.close(),
  };
}
