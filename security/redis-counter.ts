// Counting on Redis, one quota for all replicas, that never waits for long. States of the store:
//   near   Redis is asked; its refusals are remembered here until they end, so that a flood does not reach it.
//   away   it failed or did not answer in time: this process counts by itself, with half the quota (limits never
//          fail open), and asks nothing for AWAY_MS or until it is connected again. Then one request tries again,
//          the others still count here.
// So a Redis that hangs costs one request the command's timeout every AWAY_MS, and no other request anything.
import { Redis } from "ioredis";

import { logger } from "../telemetry/logger";
import { limitStoreFailuresTotal } from "../telemetry/metrics";
import { registerProbe } from "../telemetry/probes";
import { onShutdown } from "../telemetry/shutdown";
import { costWithin, type Quota } from "./quota";
import { RecentMap } from "./recent-map";
import { chargeScript } from "./redis-script";

/** How long Redis is left alone after it failed. */
const AWAY_MS = 5_000;
/** How long one request waits for Redis. */
const ANSWER_MS = 300;
const SHUT_KEYS_MAX = 50_000;

const log = logger("limits");

/** One key under one quota. */
export interface SharedCharge {
  key: string;
  quota: Quota;
}

/** One Redis with what is known of its state. */
export class RedisStore {
  private awayUntilMs = 0;
  /** Keys that Redis refused, until when. */
  private readonly shut = new RecentMap<number>(SHUT_KEYS_MAX);

  constructor(private readonly redis: Redis) {
    redis.defineCommand("chargeLimits", { lua: chargeScript });
    // A connection that was made anew needs no request to find out.
    redis.on("ready", () => this.answered());
  }

  /**
   * Takes `cost` points of each, in turn, in one step on Redis; after one that does not fit the rest is not asked. For
   * each as MemoryCounter.consume answers. Undefined, after ANSWER_MS at the latest, when Redis did not count.
   */
  async consume(charges: readonly SharedCharge[], cost: number): Promise<number[] | undefined> {
    const nowMs = performance.now();
    const waits = charges.map(({ key }) => (this.shut.get(key) ?? 0) - nowMs);
    const shut = waits.findIndex((waitMs) => waitMs > 0);
    if (shut >= 0) return waits.slice(0, shut + 1).map((waitMs) => (waitMs > 0 ? -waitMs : Infinity));
    const left = await this.ask(charges, cost, "take");
    const refused = left?.findIndex((points) => points < 0) ?? -1;
    const key = charges[refused]?.key;
    if (key !== undefined) this.shut.set(key, performance.now() - (left?.[refused] ?? 0));
    return left;
  }

  /** As MemoryCounter.settle, of each. False when Redis did not count. */
  async settle(charges: readonly SharedCharge[], cost: number): Promise<boolean> {
    return (await this.ask(charges, cost, "settle")) !== undefined;
  }

  async forget(key: string): Promise<void> {
    this.shut.delete(key);
    await this.within((redis) => redis.del(key));
  }

  private ask(charges: readonly SharedCharge[], cost: number, how: "take" | "settle"): Promise<number[] | undefined> {
    const args = charges.flatMap(({ quota }) => [
      quota.algorithm,
      quota.points,
      quota.windowSeconds * 1000,
      (quota.algorithm === "sliding-window" ? (quota.blockSeconds ?? 0) : 0) * 1000,
      how === "take" ? costWithin(quota, cost) : cost,
    ]);
    return this.within((redis) =>
      (redis as Redis & ChargeCommand).chargeLimits(charges.length, ...charges.map(({ key }) => key), how, ...args),
    );
  }

  private async within<T>(work: (redis: Redis) => Promise<T>): Promise<T | undefined> {
    if (!this.mayAsk(performance.now())) return undefined;
    try {
      const answer = await work(this.redis);
      this.answered();
      return answer;
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  /** Whether this request may ask Redis. While it is away, that is one request every AWAY_MS. */
  private mayAsk(nowMs: number): boolean {
    if (this.awayUntilMs === 0) return true;
    if (nowMs < this.awayUntilMs) return false;
    this.awayUntilMs = nowMs + AWAY_MS;
    return true;
  }

  private answered(): void {
    if (this.awayUntilMs !== 0) log.info("limits: Redis answers again");
    this.awayUntilMs = 0;
  }

  private failed(error: unknown): void {
    limitStoreFailuresTotal.add(1);
    if (this.awayUntilMs === 0) log.warn({ err: error }, "limits: Redis does not answer, counting in this process");
    this.awayUntilMs = performance.now() + AWAY_MS;
  }
}

interface ChargeCommand {
  chargeLimits(keys: number, ...args: (string | number)[]): Promise<number[]>;
}

/**
 * One connection for all counters, whose keys begin with `keyPrefix`: other apps may count on the same Redis. Commands fail at once instead of queueing when Redis is away, and after
 * ANSWER_MS when it hangs; a connection on which nothing arrives any more is given up and made anew.
 */
export function connectRedis(url: string, keyPrefix = ""): Redis {
  const redis = new Redis(url, {
    keyPrefix,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: ANSWER_MS,
    connectTimeout: 3_000,
    socketTimeout: 3_000,
    lazyConnect: false,
  });
  let isReported = false;
  redis.on("error", (error: Error) => {
    if (!isReported) log.warn({ err: error }, "limits: Redis is away, counting in this process");
    isReported = true;
  });
  redis.on("ready", () => {
    isReported = false;
  });
  onShutdown("limits", () => redis.disconnect(), "idle");
  return redis;
}

/**
 * Readiness tells of a Redis that is away or silent, and stays: requests are answered without it, jobs and events wait in
 * Postgres, and as all replicas share it, none of them would be left.
 */
export function watchRedis(redis: Redis): () => void {
  return registerProbe("redis", async () => void (await redis.ping()), { isVital: false });
}
