// Counting on Redis, one quota for all replicas, that never waits for long. States of the store:
//   near   Redis is asked; its refusals are remembered here until they end, so that a flood does not reach it.
//   away   it failed or did not answer in time: this process counts by itself, with half the quota (limits never
//          fail open), and asks nothing for AWAY_MS or until it is connected again. Then one request tries again,
//          the others still count here.
// So a Redis that hangs costs one request the command's timeout every AWAY_MS, and no other request anything.
import { Redis } from "ioredis";
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";

import { logger } from "../telemetry/logger";
import { onShutdown } from "../telemetry/shutdown";
import { WindowCounter, type Quota } from "./counter";
import { RecentMap } from "./recent-map";

/** How long Redis is left alone after it failed. */
const AWAY_MS = 5_000;
/** How long one request waits for Redis. */
const ANSWER_MS = 300;
const SHUT_KEYS_MAX = 10_000;

/** One Redis with what is known of its state, shared by all counters on it. */
export class RedisStore {
  private awayUntilMs = 0;

  constructor(readonly redis: Redis) {
    // A connection that was made anew needs no request to find out.
    redis.on("ready", () => this.answered());
  }

  /** Whether this request may ask Redis. While it is away, that is one request every AWAY_MS. */
  mayAsk(nowMs: number): boolean {
    if (this.awayUntilMs === 0) return true;
    if (nowMs < this.awayUntilMs) return false;
    this.awayUntilMs = nowMs + AWAY_MS;
    return true;
  }

  answered(): void {
    this.awayUntilMs = 0;
  }

  failed(nowMs: number): void {
    this.awayUntilMs = nowMs + AWAY_MS;
  }
}

export class RedisCounter {
  private readonly shared: RateLimiterRedis;
  private readonly alone: WindowCounter;
  /** Keys that Redis refused, until when. */
  private readonly shut = new RecentMap<number>(SHUT_KEYS_MAX);

  constructor(
    private readonly store: RedisStore,
    name: string,
    quota: Quota,
  ) {
    this.alone = new WindowCounter({ ...quota, points: Math.max(1, Math.floor(quota.points / 2)) });
    this.shared = new RateLimiterRedis({
      storeClient: store.redis,
      keyPrefix: name,
      points: quota.points,
      duration: quota.windowSeconds,
      blockDuration: quota.blockSeconds ?? 0,
      rejectIfRedisNotReady: true,
    });
  }

  /** As WindowCounter.consume; resolves after ANSWER_MS at the latest. */
  async consume(key: string, nowMs: number = performance.now()): Promise<number> {
    const shutUntilMs = this.shut.get(key) ?? 0;
    if (shutUntilMs > nowMs) return shutUntilMs - nowMs;
    if (!this.store.mayAsk(nowMs)) return this.alone.consume(key, nowMs);
    try {
      await this.shared.consume(key);
      this.store.answered();
      return 0;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) {
        this.store.answered();
        const waitMs = Math.max(1, refusal.msBeforeNext);
        this.shut.set(key, performance.now() + waitMs);
        return waitMs;
      }
      this.store.failed(performance.now());
      return this.alone.consume(key, nowMs);
    }
  }

  /** Resolves when it is forgotten here and, if Redis answers, there. */
  async forget(key: string): Promise<void> {
    this.shut.delete(key);
    this.alone.forget(key);
    if (!this.store.mayAsk(performance.now())) return;
    try {
      await this.shared.delete(key);
      this.store.answered();
    } catch {
      this.store.failed(performance.now());
    }
  }
}

/**
 * One connection for all counters. Commands fail at once instead of queueing when Redis is away, and after
 * ANSWER_MS when it hangs; a connection on which nothing arrives any more is given up and made anew.
 */
export function connectRedis(url: string): Redis {
  const log = logger("limits");
  const redis = new Redis(url, {
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
