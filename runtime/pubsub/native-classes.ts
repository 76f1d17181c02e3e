// The native pub/sub classes (13.3).
import type { Request } from "../native/request";

export class PubSubTopic {
  readonly #publish: (message: unknown, source: Request | null) => Promise<string>;

  constructor(publish: (message: unknown, source: Request | null) => Promise<string>) {
    this.#publish = publish;
  }

  /** @returns the message id */
  publish(body: unknown, source?: Request | null): Promise<string> {
    return this.#publish(body, source ?? null);
  }
}

export class PubSubSubscription {
  readonly #start: () => void;

  constructor(start: () => void) {
    this.#start = start;
  }

  /** Pending for as long as the process lives: the host itself comes back to a broker that was away. */
  subscribe(): Promise<void> {
    this.#start();
    return new Promise(() => undefined);
  }
}
