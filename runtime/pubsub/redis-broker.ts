// Topics on Redis: the same queues, BullMQ's own Redis backend.
import { Queue, Worker, type Job } from "bullmq";
import { Redis } from "ioredis";
import { connectRedis } from "../redis-connection";
import type { Broker, BrokerTimings, ConsumeOptions, Consumer, Processor } from "./broker";
import { redisJobOptions, workerOptions } from "./bullmq-options";
import type { Envelope } from "./envelope";
import { RedisOrdering } from "./redis-ordering";

/** BullMQ blocks for at most 10 s on Redis; less would only be more traffic. */
const DRAIN_SECONDS = 10;
const CONNECT_LIMIT_MS = 30_000;

export class RedisBroker implements Broker {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #timings: BrokerTimings;
  readonly #queues = new Map<string, Queue<Envelope>>();
  readonly #ordering: RedisOrdering;

  constructor(url: string, prefix: string, timings: BrokerTimings) {
    this.#redis = new Redis(url, { maxRetriesPerRequest: null, lazyConnect: true });
    this.#redis.on("error", () => undefined); // commands wait for the connection; workers report
    this.#prefix = prefix;
    this.#timings = timings;
    const queue = (name: string): Promise<Queue<Envelope>> => this.queue(name);
    this.#ordering = new RedisOrdering({
      redis: this.#redis,
      prefix,
      leaseMs: timings.lockMs,
      parkMs: timings.lostCheckMs,
      queue,
    });
  }

  async ready(): Promise<void> {
    await connectRedis(this.#redis, CONNECT_LIMIT_MS);
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
    await Promise.all(queues.map((name) => this.#ordering.enlist(name, message)));
    await Promise.all(opened.map((queue) => queue.add("message", message, redisJobOptions(message.id))));
  }

  /** Redis tells every consumer by itself. */
  wake(): void {}

  consume(queue: string, processor: Processor, options: ConsumeOptions): Promise<Consumer> {
    const ordering = this.#ordering;
    const inTurn = (job: Job<Envelope>): Promise<void> => ordering.run(queue, job, () => processor(job));
    const worker = new Worker<Envelope>(queue, options.ordered ? inTurn : processor, {
      ...workerOptions(options, this.#timings),
      drainDelay: DRAIN_SECONDS,
      connection: this.#redis,
      prefix: this.#prefix,
    });
    worker.on("error", options.onError);
    if (options.ordered) ordering.attach(queue, worker);
    const close = async (): Promise<void> => {
      await worker.close();
      await ordering.settled();
    };
    return Promise.resolve({ close });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await this.#redis.quit().catch(() => this.#redis.disconnect());
  }
}
