// The stream objects of the SDK (contract 5.2): both ends of a message channel, whatever carries it.

/** A duplex of messages. `send` and `close` never wait; `recv` rejects when the other side is gone. */
export interface MessageChannel {
  send(message: unknown): void;
  recv(): Promise<unknown>;
  close(): void;
}

/** A stream that nobody holds any more, as after its handler threw, is closed when its object is collected (S-9). */
const abandoned = new FinalizationRegistry<MessageChannel>((channel) => channel.close());

/** Both directions; its two kinds stay classes of their own, because the SDK asks `instanceof Socket` (13.1). */
class Duplex {
  readonly #channel: MessageChannel;

  constructor(channel: MessageChannel) {
    this.#channel = channel;
    abandoned.register(this, channel);
  }

  send(message: unknown): void {
    this.#channel.send(message);
  }

  recv(): Promise<unknown> {
    return this.#channel.recv();
  }

  close(): void {
    this.#channel.close();
  }
}

/** Server side of `streamInOut`. */
export class Socket extends Duplex {}

/** Server side of `streamOut`. */
export class Sink {
  readonly #channel: MessageChannel;

  constructor(channel: MessageChannel) {
    this.#channel = channel;
    abandoned.register(this, channel);
  }

  send(message: unknown): void {
    this.#channel.send(message);
  }

  close(): void {
    this.#channel.close();
  }
}

/** Server side of `streamIn`. */
export class Stream {
  readonly #channel: MessageChannel;

  constructor(channel: MessageChannel) {
    this.#channel = channel;
    abandoned.register(this, channel);
  }

  recv(): Promise<unknown> {
    return this.#channel.recv();
  }
}

/** The calling side of every kind of stream. */
export class WebSocketClient extends Duplex {}
