// BullMQ on Redis. One connection puts jobs into all queues; one serves all workers, each of which has BullMQ open another
// to wait on. They differ in what they do when Redis is away or silent:
//
//   adding    fails: at once while disconnected, after five seconds without an answer. Whoever adds tries again later.
//   working   waits and reconnects, for as long as it takes; a silent connection is given up after thirty seconds.
//
// BullMQ's documentation ("Going to production") asks for both.
import { Queue, Worker, type Processor, type QueueOptions, type WorkerOptions } from "bullmq";
import { Redis } from "ioredis";
import type { JobData } from "./envelope";

const LIMIT_MS = 5_000;
/** Longer than BullMQ blocks (ten seconds). */
const SILENCE_MS = 30_000;

export interface RedisSettings {
  /** Before every key. Workers of another app under the same one would take this app's jobs. */
  prefix: string;
  /** Longest wait for an answer while adding, and for the first connection. */
  limitMs?: number;
}

export class RedisStorage {
  private readonly limitMs: number;
  private readonly prefix: string;
  private readonly adding: Redis;
  private readonly working: Redis;

  constructor(url: string, { prefix, limitMs = LIMIT_MS }: RedisSettings) {
    this.limitMs = limitMs;
    this.prefix = prefix;
    const common = { lazyConnect: true, connectTimeout: limitMs };
    this.adding = new Redis(url, {
      ...common,
      commandTimeout: limitMs,
      socketTimeout: 2 * limitMs,
      maxRetriesPerRequest: 1,
      enableOfflineQueue: false,
    });
    this.working = new Redis(url, { ...common, socketTimeout: SILENCE_MS, maxRetriesPerRequest: null });
    // Those who use them report what fails.
    for (const redis of [this.adding, this.working]) redis.setMaxListeners(0).on("error", () => undefined);
  }

  /** Rejects when Redis does not answer in time. */
  async openQueue(name: string, options: Omit<QueueOptions, "connection">): Promise<Queue<JobData>> {
    await connected(this.adding, this.limitMs);
    return new Queue<JobData>(name, { ...options, prefix: this.prefix, connection: this.adding });
  }

  /** Rejects when Redis does not answer in time. */
  async openWorker(
    name: string,
    processor: Processor<JobData>,
    options: Omit<WorkerOptions, "connection">,
  ): Promise<Worker<JobData>> {
    await connected(this.working, this.limitMs);
    return new Worker<JobData>(name, processor, { ...options, prefix: this.prefix, connection: this.working });
  }

  /** Drops both connections; what waits for an answer fails. */
  close(): void {
    this.adding.disconnect();
    this.working.disconnect();
  }
}

/** Resolves when the connection can be used. After a failure it goes on trying by itself, so that a later call finds it. */
async function connected(redis: Redis, limitMs: number): Promise<void> {
  if (redis.status === "ready") return;
  if (redis.status === "wait" || redis.status === "end") redis.connect().catch(() => undefined); // told by the events
  let timer: NodeJS.Timeout | undefined;
  let onReady: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      onReady = resolve;
      redis.once("ready", resolve);
      timer = setTimeout(() => reject(new Error(`Redis does not answer within ${limitMs} ms`)), limitMs);
    });
  } finally {
    clearTimeout(timer);
    if (onReady) redis.off("ready", onReady);
  }
}
