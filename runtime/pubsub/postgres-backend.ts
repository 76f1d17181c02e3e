// BullMQ's Postgres backend with two of its habits changed: all queues of a process share one connection
// pool and one listener (Wakeups) instead of holding a connection each, and a broker that is away does not
// turn a handled message into a failed one.
import { PostgresQueueBackend, type BackendFactory, type PostgresConnection, type PostgresConnectionOptions } from "bullmq";
import { isBrokerAway } from "../broker-errors";
import type { Wakeups } from "./wakeups";

const nothing: [] = [];

export class WakingBackend extends PostgresQueueBackend {
  readonly #wakeups: Wakeups;
  readonly #reconnectMs: number;
  #seen = 0;
  #blocking = new AbortController();

  constructor(connection: PostgresConnection, ...rest: [name: string, opts: ConstructorParameters<typeof PostgresQueueBackend>[2], wakeups: Wakeups, reconnectMs: number]) {
    super(connection, rest[0], rest[1], false);
    this.#wakeups = rest[2];
    this.#reconnectMs = rest[3];
  }

  override get maximumBlockTimeout(): number {
    return 3600;
  }

  override moveToActive(token: string, name?: string): ReturnType<PostgresQueueBackend["moveToActive"]> {
    this.#seen = this.#wakeups.signals(this.queueName);
    return super.moveToActive(token, name);
  }

  /** The handler has run: keeps trying until the broker knows, or the worker is closing. */
  override async moveToCompleted(...args: Parameters<PostgresQueueBackend["moveToCompleted"]>): ReturnType<PostgresQueueBackend["moveToCompleted"]> {
    for (;;) {
      try {
        return await super.moveToCompleted(...args);
      } catch (error) {
        if (this.#blocking.signal.aborted || !isBrokerAway(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.#reconnectMs));
      }
    }
  }

  /** Makes the worker look once more before it waits: only that look tells it when the message is due again. */
  override async moveToDelayed(...args: Parameters<PostgresQueueBackend["moveToDelayed"]>): ReturnType<PostgresQueueBackend["moveToDelayed"]> {
    const result = await super.moveToDelayed(...args);
    this.#wakeups.signal(this.queueName);
    return result;
  }

  override async waitForJob(blockTimeoutSeconds: number): ReturnType<PostgresQueueBackend["waitForJob"]> {
    const woken = await this.#wakeups.wait(this.queueName, this.#seen, Math.max(blockTimeoutSeconds, 0) * 1000, this.#blocking.signal);
    return woken ? { member: this.queueName, score: 0 } : null;
  }

  override disconnectBlocking(): Promise<void> {
    this.#blocking.abort();
    return Promise.resolve();
  }

  override reconnectBlocking(): Promise<void> {
    if (this.#blocking.signal.aborted) this.#blocking = new AbortController();
    return Promise.resolve();
  }

  override getClientList(): Promise<string[]> {
    return Promise.resolve(nothing);
  }
}

export type WakingFactory = BackendFactory<WakingBackend, PostgresConnectionOptions>;

export function wakingFactory(connection: PostgresConnection, wakeups: Wakeups, reconnectMs: number): WakingFactory {
  return (name, opts) => new WakingBackend(connection, name, opts, wakeups, reconnectMs);
}
