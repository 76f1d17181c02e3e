// The native pub/sub classes (13.3), and the request that a handler sees for a message.
import type { LoggedRequest, RequestTrace } from "../log/request-fields";

export interface MessageMeta {
  startedAt: string;
  trace: RequestTrace;
  pubsubMessage: {
    service: string;
    topic: string;
    subscription: string;
    id: string;
    publishedAt: string;
    deliveryAttempt: number;
    parsedPayload?: unknown;
  };
}

/** Stands where an API call has its `Request`: the SDK reads only these members. There is no auth data (P-24). */
export class MessageRequest implements LoggedRequest {
  /** Written by the SDK's middleware chain, which expects an ordinary object (G-53). */
  middlewareData?: unknown;
  readonly #meta: MessageMeta;
  readonly #payload: () => unknown;

  constructor(meta: MessageMeta, payload: () => unknown) {
    this.#meta = meta;
    this.#payload = payload;
  }

  /** Fresh values at every call, as officially. */
  payload(): unknown {
    return this.#payload();
  }

  meta(): MessageMeta {
    return { ...this.#meta, pubsubMessage: { ...this.#meta.pubsubMessage, parsedPayload: this.#payload() } };
  }

  getAuthData(): null {
    return null;
  }
}

export class PubSubTopic {
  readonly #publish: (message: unknown, source: LoggedRequest | null) => Promise<string>;

  constructor(publish: (message: unknown, source: LoggedRequest | null) => Promise<string>) {
    this.#publish = publish;
  }

  /** @returns the message id */
  publish(body: unknown, source?: LoggedRequest | null): Promise<string> {
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
