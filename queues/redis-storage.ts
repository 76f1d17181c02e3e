// BullMQ on Redis, over three connections, however many queues there are: one puts jobs into them, one serves all workers, and one
// hears which queues have got work (shared-backends.ts). They differ in what they do when Redis is away or silent:
//
//   adding    fails: at once while disconnected, after five seconds without an answer. Whoever adds tries again later.
//   working   waits and reconnects, for as long as it takes; a silent connection is given up after thirty seconds.
//   hearing   as working, and is asked now and then so that it is not silent by itself. Workers that hear nothing look
//             by themselves every five seconds (BullMQ's drainDelay).
//
// BullMQ's documentation ("Going to production") asks for both.
import { Queue, withBackend, type Processor, type QueueOptions, type Worker, type WorkerOptions } from "bullmq";
import { Redis } from "ioredis";
import { withinTime } from "../telemetry/time-limit";
import type { JobData } from "./envelope";
import { hearingFactory } from "./shared-backends";
import { signalWork } from "./work-signals";

const LIMIT_MS = 5_000;
/** Longer than an idle worker waits before it looks (ten seconds). */
const SILENCE_MS = 30_000;
const HEARING_ASKED_MS = 10_000;

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
  private readonly hearing: Redis;
  private readonly asking: NodeJS.Timeout;

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
    this.hearing = new Redis(url, { ...common, socketTimeout: SILENCE_MS, maxRetriesPerRequest: null });
    this.hearing.on("message", (_channel, queueName) => signalWork(queueName));
    this.asking = setInterval(() => void this.askHearing(), HEARING_ASKED_MS).unref();
    // Those who use them report what fails.
    for (const redis of [this.adding, this.working, this.hearing])
      redis.setMaxListeners(0).on("error", () => undefined);
  }

  /** Tells all processes that a queue has got work. Nobody depends on it. */
  announce(queueName: string): void {
    if (this.adding.status === "ready") this.adding.publish(this.channel, queueName).catch(() => undefined);
  }

  private get channel(): string {
    return `${this.prefix}:work`;
  }

  private async askHearing(): Promise<void> {
    if (this.hearing.status === "ready") await this.hearing.ping().catch(() => undefined);
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
    await Promise.all([connected(this.working, this.limitMs), connected(this.hearing, this.limitMs)]);
    // Once more is none; a new connection subscribes by itself.
    await withinTime(this.hearing.subscribe(this.channel), this.limitMs);
    const { Worker } = withBackend(hearingFactory(this.working, this.prefix));
    return new Worker<JobData>(name, processor, { ...options, prefix: this.prefix, connection: this.working });
  }

  /** Drops the connections; what waits for an answer fails. */
  close(): void {
    clearInterval(this.asking);
    for (const redis of [this.adding, this.working, this.hearing]) redis.disconnect();
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
