// Topics on Redis: the same queues, BullMQ's own Redis backend.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Broker, BrokerTimings, ConsumeOptions, Consumer, Processor } from "./broker";
import { redisJobOptions, workerOptions } from "./bullmq-options";
import type { Envelope } from "./envelope";

/** BullMQ blocks for at most 10 s on Redis; less would only be more traffic. */
const DRAIN_SECONDS = 10;

export class RedisBroker implements Broker {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #timings: BrokerTimings;
  readonly #queues = new Map<string, Queue<Envelope>>();

  constructor(url: string, prefix: string, timings: BrokerTimings) {
    this.#redis = new Redis(url, { maxRetriesPerRequest: null, lazyConnect: true });
    this.#redis.on("error", () => undefined); // commands wait for the connection; workers report
    this.#prefix = prefix;
    this.#timings = timings;
  }

  async ready(): Promise<void> {
    if (this.#redis.status === "wait") await this.#redis.connect();
  }

  queue(name: string): Promise<Queue<Envelope>> {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new Queue<Envelope>(name, { connection: this.#redis, prefix: this.#prefix });
      queue.on("error", () => undefined);
      this.#queues.set(name, queue);
    }
    return Promise.resolve(queue);
  }

  async add(queues: readonly string[], message: Envelope): Promise<void> {
    const opened = await Promise.all(queues.map((name) => this.queue(name)));
    await Promise.all(opened.map((queue) => queue.add("message", message, redisJobOptions(message.id))));
  }

  /** Redis tells every consumer by itself. */
  wake(): void {}

  consume(queue: string, processor: Processor, options: ConsumeOptions): Promise<Consumer> {
    const worker = new Worker<Envelope>(queue, processor, {
      ...workerOptions(options, this.#timings),
      drainDelay: DRAIN_SECONDS,
      connection: this.#redis,
      prefix: this.#prefix,
    });
    worker.on("error", options.onError);
    return Promise.resolve({ close: () => worker.close() });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await this.#redis.quit().catch(() => this.#redis.disconnect());
  }
}
