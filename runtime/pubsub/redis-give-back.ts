// What a process gave back, on Redis. There a delayed message is due by the clock of whoever looks, so that one whose clock is
// ahead would take it every time. Hence it is delayed for long, and the process that gave it back brings it to everybody when
// its pause is over: Redis wakes the consumer that has waited longest. Should the process die, the message is due a minute later.
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Envelope } from "./envelope";

/** After the pause, in case nobody ends it; clocks may differ by so much. */
export const GIVER_LOST_MS = 60_000;

export interface RedisGiveBackOptions {
  /** Both fail while Redis is away instead of waiting for it. */
  redis: Redis;
  queue(name: string): Queue<Envelope>;
}

export class RedisGiveBack {
  readonly #options: RedisGiveBackOptions;
  /** By queue, the messages given back and the timers of their pauses. */
  readonly #held = new Map<string, Map<string, NodeJS.Timeout>>();

  constructor(options: RedisGiveBackOptions) {
    this.#options = options;
  }

  /** Ends the pause of a message that was delayed for it, after the time given. */
  hold(queue: string, id: string, delayMs: number): void {
    const held = this.#held.get(queue) ?? new Map<string, NodeJS.Timeout>();
    this.#held.set(queue, held);
    clearTimeout(held.get(id));
    // Each message that is given back wakes as many consumers as any other: without a change now and then the same one could always be asked in vain.
    if (Math.random() < 0.5) setTimeout(() => void this.#wakeOne(queue), delayMs / 2).unref();
    const timer = setTimeout(() => {
      held.delete(id);
      void this.#promote(queue, id);
    }, delayMs).unref();
    held.set(id, timer);
  }

  /** The process consumes the queue no longer: ends all its pauses. */
  async release(queue: string): Promise<void> {
    const held = this.#held.get(queue);
    this.#held.delete(queue);
    for (const timer of held?.values() ?? []) clearTimeout(timer);
    await Promise.all([...(held?.keys() ?? [])].map((id) => this.#promote(queue, id)));
  }

  async #promote(queue: string, id: string): Promise<void> {
    try {
      await (await this.#options.queue(queue).getJob(id))?.promote();
    } catch {
      // Somebody has it already, or Redis is away and it comes when it is due.
    }
  }

  /** BullMQ's sign that there is something in the queue; who finds nothing stands in line again, as the last. */
  async #wakeOne(queue: string): Promise<void> {
    if (!this.#held.has(queue)) return; // consumed here no longer
    await this.#options.redis.zadd(this.#options.queue(queue).toKey("marker"), 0, "0").catch(() => undefined);
  }
}
