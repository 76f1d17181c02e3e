// Message channels of streams: an inbox of received messages, and an outgoing side that is either a WebSocket or the other end
// inside the process.
import type { MessageChannel } from "../native/streams";
import { EncodeError, type MessageCodec, type WriteBound } from "../schema";
import type { PacedInbox } from "./paced-inbox";

export const SERVER_END = "socket receive channel closed";
export const CLIENT_END = "websocket client receive channel closed";

/** What may wait for a peer that does not read; beyond that it is cut. */
export const UNSENT_BYTES_MAX = 64 << 20;

/**
 * The largest message that is sent. `send` gives nothing to wait for, so a message is written when it is given, whatever becomes of
 * it afterwards: in one go, of some milliseconds.
 */
export const MESSAGE_BOUND: WriteBound = { parts: 50_000, textChars: 2 << 20 };

/** Of a side that receives nothing: no message gets as far. */
const refuse = (): never => {
  throw new EncodeError("the stream has no messages in this direction");
};
export const NO_MESSAGES = { decode: refuse, decodeLarge: refuse } satisfies Partial<MessageCodec>;

/** What a sender learns whose messages nobody reads. */
export const notRead = (): Error =>
  Object.assign(new Error("channel closed: the other side does not read"), { code: "Unknown" });

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
  return codec.encodeBounded(message, MESSAGE_BOUND);
}

/** A channel over a carrier: messages are copied through their JSON texts in both directions. */
export function createChannel(
  carrier: Carrier,
  inbox: Pick<PacedInbox, "take">,
  encode: EncodeMessage,
): MessageChannel {
  return {
    send(message) {
      if (!carrier.isOpen) throw Object.assign(new Error("channel closed"), { code: "Unknown" });
      carrier.send(encode(message));
    },
    recv: () => inbox.take(),
    close: () => carrier.close(),
  };
}
