// Topics on Redis: the same queues, BullMQ's own Redis backend.
import { Queue, Worker, type Job } from "bullmq";
import { Redis } from "ioredis";
import { connectRedis, leaveRedis } from "../redis-connection";
import type { Broker, BrokerTimings, ConsumeOptions, Consumer, Processor } from "./broker";
import { redisJobOptions, workerOptions } from "./bullmq-options";
import { subscriptionOf, type Envelope } from "./envelope";
import { GiveBackPace, givingBack } from "./give-back";
import { obliterate } from "./remove-queue";
import { GIVER_LOST_MS, RedisGiveBack } from "./redis-give-back";
import { RedisOrdering } from "./redis-ordering";

/** BullMQ blocks for at most 10 s on Redis; less would only be more traffic. */
const DRAIN_SECONDS = 10;
const CONNECT_LIMIT_MS = 30_000;
const ANSWER_LIMIT_MS = 5_000;
/** Longer than BullMQ blocks. */
const SILENCE_MS = 30_000;

export class RedisBroker implements Broker {
  /** Of the consumers: waits for a broker that is away, and gives up a connection that is silent. */
  readonly #redis: Redis;
  /** Of those who publish: fails at once while the broker is away, so that nothing piles up; they try again. */
  readonly #adding: Redis;
  readonly #answerLimitMs: number;
  readonly #prefix: string;
  readonly #timings: BrokerTimings;
  readonly #queues = new Map<string, Queue<Envelope>>();
  readonly #addingQueues = new Map<string, Queue<Envelope>>();
  readonly #ordering: RedisOrdering;
  readonly #pace: GiveBackPace;
  readonly #givenBack: RedisGiveBack;

  constructor(url: string, prefix: string, timings: BrokerTimings, answerLimitMs = ANSWER_LIMIT_MS) {
    this.#answerLimitMs = answerLimitMs;
    this.#redis = new Redis(url, { maxRetriesPerRequest: null, socketTimeout: SILENCE_MS, lazyConnect: true });
    this.#adding = new Redis(url, {
      maxRetriesPerRequest: 1,
      enableOfflineQueue: false,
      commandTimeout: answerLimitMs,
      socketTimeout: 2 * answerLimitMs,
      lazyConnect: true,
    });
    for (const redis of [this.#redis, this.#adding]) redis.setMaxListeners(0).on("error", () => undefined); // their users report
    this.#prefix = prefix;
    this.#timings = timings;
    this.#pace = new GiveBackPace(timings.giveBackMs);
    this.#givenBack = new RedisGiveBack({
      redis: this.#adding,
      queue: (name) => this.#open(this.#addingQueues, name, this.#adding),
    });
    const queue = (name: string): Promise<Queue<Envelope>> => this.queue(name);
    this.#ordering = new RedisOrdering({
      redis: this.#redis,
      adding: this.#adding,
      prefix,
      leaseMs: timings.lockMs,
      parkMs: timings.lostCheckMs,
      queue,
    });
  }

  async ready(): Promise<void> {
    await Promise.all([connectRedis(this.#redis, CONNECT_LIMIT_MS), connectRedis(this.#adding, CONNECT_LIMIT_MS)]);
  }

  queue(name: string): Promise<Queue<Envelope>> {
    return Promise.resolve(this.#open(this.#queues, name, this.#redis));
  }

  #open(known: Map<string, Queue<Envelope>>, name: string, connection: Redis): Queue<Envelope> {
    let queue = known.get(name);
    if (!queue) {
      queue = new Queue<Envelope>(name, { connection, prefix: this.#prefix });
      queue.on("error", () => undefined);
      known.set(name, queue);
    }
    return queue;
  }

  async #keys(pattern: string): Promise<string[]> {
    const found = new Set<string>();
    for (let cursor = "0", isFirst = true; isFirst || cursor !== "0"; isFirst = false) {
      const [next, keys] = await this.#redis.scan(cursor, "MATCH", pattern, "COUNT", 1_000);
      for (const key of keys) found.add(key);
      cursor = next;
    }
    return [...found];
  }

  async queueNames(): Promise<string[]> {
    await connectRedis(this.#redis, CONNECT_LIMIT_MS);
    const metas = await this.#keys(`${this.#prefix}:*/*:meta`);
    return metas
      .map((key) => key.slice(this.#prefix.length + 1, -":meta".length))
      .filter((name) => !name.includes(":") && subscriptionOf(name) !== undefined)
      .sort();
  }

  async removeQueue(name: string): Promise<void> {
    const queue = this.#open(this.#queues, name, this.#redis);
    await obliterate(queue);
    this.#queues.delete(name);
    this.#addingQueues.delete(name);
    await queue.close();
    const own = [`line:${name}:*`, `holder:${name}:*`, `parked:${name}`, `place:${name}`];
    const keys = await Promise.all(own.map((pattern) => this.#keys(`${this.#prefix}:${pattern}`)));
    for (const key of keys.flat()) await this.#redis.unlink(key);
  }

  async add(queues: readonly string[], message: Envelope): Promise<void> {
    await connectRedis(this.#adding, this.#answerLimitMs);
    const opened = queues.map((name) => this.#open(this.#addingQueues, name, this.#adding));
    await Promise.all(queues.map((name) => this.#ordering.enlist(name, message)));
    await Promise.all(opened.map((queue) => queue.add("message", message, redisJobOptions(message.id))));
  }

  /** Redis tells every consumer by itself. */
  wake(): void {}

  consume(queue: string, processor: Processor, options: ConsumeOptions): Promise<Consumer> {
    const ordering = this.#ordering;
    const process = givingBack(processor, this.#pace, async (job, delayMs) => {
      await ordering.putBack(queue, job, Date.now() + delayMs + GIVER_LOST_MS);
      this.#givenBack.hold(queue, job.data.id, delayMs);
    });
    const inTurn = (job: Job<Envelope>): Promise<void> => ordering.run(queue, job, () => process(job));
    const worker = new Worker<Envelope>(queue, options.ordered ? inTurn : process, {
      ...workerOptions(options, this.#timings),
      drainDelay: DRAIN_SECONDS,
      connection: this.#redis,
      prefix: this.#prefix,
    });
    worker.on("error", options.onError);
    if (options.ordered) ordering.attach(queue, worker);
    const close = async (): Promise<void> => {
      await worker.close();
      await this.#givenBack.release(queue);
      await ordering.settled();
    };
    return Promise.resolve({ close });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values(), ...this.#addingQueues.values()].map((queue) => queue.close()));
    this.#adding.disconnect();
    await leaveRedis(this.#redis);
  }
}
