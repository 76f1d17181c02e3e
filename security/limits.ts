// Rate limits: the policy table and one way to consume from it. Counters live in Redis when the app has one
// (shared by all replicas), else in this process. When Redis is away, a stricter in-process limiter stands
// in: limits never fail open.
import { Redis } from "ioredis";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from "rate-limiter-flexible";

import { cfg } from "../config";
import { limitRejectionsTotal } from "../telemetry/metrics";
import { logger } from "../telemetry/logger";
import { onShutdown } from "../telemetry/shutdown";
import { commonErrors } from "./common-errors";

/** Who is counted. `anonymousIp` holds for callers who are not signed in, `ip` for those who are. */
export type Dimension = "anonymousIp" | "ip" | "user" | "tenant" | "account";

export interface Quota {
  /** Requests per window. */
  points: number;
  windowSeconds: number;
  /** After the quota is used up: how long the key stays shut, when longer than the window's rest. */
  blockSeconds?: number;
}

const perMinute = (points: number): Quota => ({ points, windowSeconds: 60 });

/** Each policy's quotas by dimension; a dimension that is absent is not counted. `LIMIT_SCALE` multiplies the points. */
export const limitPolicies = {
  /** Every exposed endpoint that names no other policy. 100 a minute for anonymous addresses is C15 in docs/requirements.md. */
  default: { anonymousIp: perMinute(100), ip: perMinute(3000), user: perMinute(1200), tenant: perMinute(12_000) },
  /** Sign-in, registration, token refresh: dear to compute and worth guessing at. `account` is consumed by auth itself. */
  auth: {
    anonymousIp: perMinute(20),
    ip: perMinute(60),
    user: perMinute(60),
    tenant: perMinute(600),
    account: { points: 5, windowSeconds: 900, blockSeconds: 900 },
  },
  /** A corpus arrives as hundreds of documents at once. */
  ingest: { anonymousIp: perMinute(20), ip: perMinute(12_000), user: perMinute(6000), tenant: perMinute(12_000) },
  /** Each search embeds its query. */
  search: { anonymousIp: perMinute(20), ip: perMinute(1200), user: perMinute(600), tenant: perMinute(6000) },
} as const satisfies Record<string, Partial<Record<Dimension, Quota>>>;

export type LimitPolicy = keyof typeof limitPolicies;

export function isLimitPolicy(name: string): name is LimitPolicy {
  return Object.hasOwn(limitPolicies, name);
}

/** Who calls, as far as it is known: keys to count by. */
export interface LimitedCaller {
  ip?: string;
  user?: string;
  tenant?: string;
}

const uncounted: Promise<void> = Promise.resolve();

type PolicyLimiters = Partial<Record<Dimension, RateLimiterAbstract>>;

/** A full set of limiters over one store. The app has one (`limits`); tests make their own. */
export class Limits {
  private readonly table = {} as Record<LimitPolicy, PolicyLimiters>;

  constructor(private readonly options: { scale: number; redis?: Redis }) {
    for (const [policy, quotas] of Object.entries(limitPolicies)) {
      const limiters: PolicyLimiters = {};
      for (const [dimension, quota] of Object.entries(quotas))
        limiters[dimension as Dimension] = this.createLimiter(policy, dimension, quota);
      this.table[policy as LimitPolicy] = limiters;
    }
  }

  /**
   * Counts one request of a caller: by address, and when signed in by user and tenant too.
   * @throws APIError resource_exhausted with retryAfterSeconds when a quota is used up.
   */
  async consumeCaller(policy: LimitPolicy, { ip, user, tenant }: LimitedCaller): Promise<void> {
    if (user === undefined) {
      if (ip !== undefined) await this.consume(policy, "anonymousIp", ip);
      return;
    }
    const counts: Promise<unknown>[] = [];
    if (ip !== undefined) counts.push(this.consume(policy, "ip", ip));
    counts.push(this.consume(policy, "user", user));
    if (tenant !== undefined) counts.push(this.consume(policy, "tenant", tenant));
    await Promise.all(counts);
  }

  /**
   * Counts one request of `key`; does nothing when the policy has no such dimension.
   * @throws APIError resource_exhausted with retryAfterSeconds when the quota is used up.
   */
  consume(policy: LimitPolicy, dimension: Dimension, key: string): Promise<unknown> {
    const limiter = this.table[policy][dimension];
    if (limiter === undefined) return uncounted;
    return limiter.consume(key).catch((refusal: unknown) => {
      throw refusalOf(refusal, policy, dimension);
    });
  }

  /** Forgets what `key` has used: after a successful sign-in, for the account's counter. */
  async forget(policy: LimitPolicy, dimension: Dimension, key: string): Promise<void> {
    await this.table[policy][dimension]?.delete(key);
  }

  private createLimiter(policy: string, dimension: string, quota: Quota): RateLimiterAbstract {
    const settings = {
      keyPrefix: `limit:${policy}:${dimension}`,
      points: Math.max(1, Math.round(quota.points * this.options.scale)),
      duration: quota.windowSeconds,
      blockDuration: quota.blockSeconds ?? 0,
    };
    const { redis } = this.options;
    if (redis === undefined) return new RateLimiterMemory(settings);
    const insured = { ...settings, points: Math.max(1, Math.floor(settings.points / 2)) };
    return new RateLimiterRedis({
      ...settings,
      storeClient: redis,
      rejectIfRedisNotReady: true,
      inMemoryBlockOnConsumed: settings.points + 1,
      insuranceLimiter: new RateLimiterMemory(insured),
    });
  }
}

function refusalOf(refusal: unknown, policy: LimitPolicy, dimension: Dimension): Error {
  if (!(refusal instanceof RateLimiterRes))
    return commonErrors.service_unavailable({
      internal: "the rate limiter's store failed",
      cause: refusal,
      retryAfterSeconds: 1,
    });
  limitRejectionsTotal.add(1, { policy, dimension });
  const retryAfterSeconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
  return commonErrors.rate_limited({ retryAfterSeconds, internal: `policy ${policy}, dimension ${dimension}` });
}

/** One connection for all counters; commands fail at once instead of queueing when Redis is away. */
export function connectRedis(url: string): Redis {
  const log = logger("limits");
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 500,
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

/** The app's limiters. */
export const limits = new Limits({
  scale: cfg.limits.scale,
  ...(cfg.redisUrl === undefined ? {} : { redis: connectRedis(cfg.redisUrl) }),
});

/**
 * Counts an attempt on an account (a digest of its name, never the name itself) against brute force.
 * @throws APIError resource_exhausted with retryAfterSeconds.
 */
export async function consume(policy: LimitPolicy, key: string): Promise<void> {
  await limits.consume(policy, "account", key);
}
