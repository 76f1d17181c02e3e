// Rate limits: the policy table and one way to consume from it. Counters live in Redis when the app has one
// (shared by all replicas), else in this process; when Redis is away or hangs, stricter ones in this process stand in.
// Failed authentications are always counted in this process: refusing them may wait for nobody.
import type { Redis } from "ioredis";

import { cfg } from "../config";
import { limitRejectionsTotal } from "../telemetry/metrics";
import { commonErrors } from "./common-errors";
import { WindowCounter, type Quota } from "./counter";
import { connectRedis, RedisCounter, RedisStore } from "./redis-counter";

export { connectRedis } from "./redis-counter";

/**
 * Who is counted. `anonymousIp` holds for callers who are not signed in, `ip` for those who are. Of attempts to sign
 * in: `accountAtIp` one account from one address, `account` one account from everywhere; of mails: one address.
 */
export type Dimension = "anonymousIp" | "ip" | "user" | "tenant" | "account" | "accountAtIp";

const perMinute = (points: number): Quota => ({ points, windowSeconds: 60 });

/** Each policy's quotas by dimension; a dimension that is absent is not counted. `LIMIT_SCALE` multiplies the points. */
export const limitPolicies = {
  /** Every exposed endpoint that names no other policy. */
  default: { anonymousIp: perMinute(100), ip: perMinute(3000), user: perMinute(1200), tenant: perMinute(12_000) },
  /**
   * Sign-in and registration: dear to compute and worth guessing at. One address shuts itself out of one account,
   * long before it shuts out the account's owner, who is elsewhere.
   */
  auth: {
    anonymousIp: perMinute(60),
    ip: perMinute(60),
    user: perMinute(60),
    tenant: perMinute(600),
    accountAtIp: { points: 5, windowSeconds: 900, blockSeconds: 900 },
    account: { points: 50, windowSeconds: 3600 },
  },
  /** What ends in a mail to somebody: `account` counts the mails that one address is sent. */
  mail: {
    anonymousIp: perMinute(30),
    ip: perMinute(60),
    user: perMinute(30),
    tenant: perMinute(300),
    account: { points: 5, windowSeconds: 3600 },
  },
  /** Staying signed in: everybody in an office behind one address does it every few minutes. */
  refresh: { anonymousIp: perMinute(3000), ip: perMinute(3000), user: perMinute(60), tenant: perMinute(12_000) },
  /** A corpus arrives as hundreds of documents at once. */
  ingest: { anonymousIp: perMinute(20), ip: perMinute(12_000), user: perMinute(6000), tenant: perMinute(12_000) },
  /** Each search embeds its query. */
  search: { anonymousIp: perMinute(20), ip: perMinute(1200), user: perMinute(600), tenant: perMinute(6000) },
} as const satisfies Record<string, Partial<Record<Dimension, Quota>>>;

/** Points of failed authentications that an address has, by what failed. `LIMIT_SCALE` multiplies them too. */
export const failureQuotas = {
  signIn: perMinute(20),
  refresh: perMinute(60),
  /** A forged access token costs ten points, one that has merely expired costs one. */
  accessToken: perMinute(600),
} as const satisfies Record<string, Quota>;

export type LimitPolicy = keyof typeof limitPolicies;
export type FailureKind = keyof typeof failureQuotas;

export function isLimitPolicy(name: string): name is LimitPolicy {
  return Object.hasOwn(limitPolicies, name);
}

/** Who calls, as far as it is known: keys to count by. */
export interface LimitedCaller {
  ip?: string | undefined;
  user?: string | undefined;
  tenant?: string | undefined;
}

/** The one answer of counters in this process while there is room: whoever sees it need not wait. */
const counted: Promise<void> = Promise.resolve();

type PolicyCounters = Partial<Record<Dimension, WindowCounter | RedisCounter>>;

/** A full set of counters over one store. The app has one (`limits`); tests make their own. */
export class Limits {
  private readonly table = {} as Record<LimitPolicy, PolicyCounters>;
  private readonly failures = {} as Record<FailureKind, WindowCounter>;

  constructor({ scale, redis }: { scale: number; redis?: Redis }) {
    const store = redis === undefined ? undefined : new RedisStore(redis);
    const scaled = (quota: Quota): Quota => ({ ...quota, points: Math.max(1, Math.round(quota.points * scale)) });
    for (const [policy, quotas] of Object.entries(limitPolicies)) {
      const counters: PolicyCounters = {};
      for (const [dimension, quota] of Object.entries(quotas))
        counters[dimension as Dimension] =
          store === undefined
            ? new WindowCounter(scaled(quota))
            : new RedisCounter(store, `limit:${policy}:${dimension}`, scaled(quota));
      this.table[policy as LimitPolicy] = counters;
    }
    for (const [kind, quota] of Object.entries(failureQuotas))
      this.failures[kind as FailureKind] = new WindowCounter(scaled(quota));
  }

  /**
   * Counts one request of a caller: by address, and when signed in by user and tenant too. Undefined when it is counted
   * already, else a promise of it.
   * @throws APIError resource_exhausted with retryAfterSeconds when a quota is used up: the promise rejects.
   */
  consumeCaller(policy: LimitPolicy, { ip, user, tenant }: LimitedCaller): Promise<void> | undefined {
    const byIp = ip === undefined ? counted : this.consume(policy, user === undefined ? "anonymousIp" : "ip", ip);
    const byUser = user === undefined ? counted : this.consume(policy, "user", user);
    const byTenant = user === undefined || tenant === undefined ? counted : this.consume(policy, "tenant", tenant);
    if (byIp === counted && byUser === counted && byTenant === counted) return undefined;
    return Promise.all([byIp, byUser, byTenant]).then(() => undefined);
  }

  /**
   * Counts one request of `key`; does nothing when the policy has no such dimension.
   * @throws APIError resource_exhausted with retryAfterSeconds when the quota is used up.
   */
  consume(policy: LimitPolicy, dimension: Dimension, key: string): Promise<unknown> {
    const counter = this.table[policy][dimension];
    if (counter === undefined) return counted;
    if (counter instanceof RedisCounter)
      return counter.consume(key).then((waitMs) => refuseWhile(waitMs, policy, dimension));
    const waitMs = counter.consume(key);
    return waitMs === 0 ? counted : Promise.reject(refusalOf(waitMs, policy, dimension));
  }

  /** Forgets what `key` has used: after a successful sign-in, for the account's counters. */
  async forget(policy: LimitPolicy, dimension: Dimension, key: string): Promise<void> {
    await this.table[policy][dimension]?.forget(key);
  }

  /**
   * Before any work on a caller's credentials: whether their address has failed too often lately.
   * @throws APIError resource_exhausted with retryAfterSeconds.
   */
  assertFewFailures(kind: FailureKind, address: string): void {
    refuseWhile(this.failures[kind].waitMs(address), kind, "failure");
  }

  /** Counts a failed authentication of this address. */
  countFailure(kind: FailureKind, address: string, points = 1): void {
    this.failures[kind].consume(address, performance.now(), points);
  }
}

function refuseWhile(waitMs: number, policy: string, dimension: string): void {
  if (waitMs > 0) throw refusalOf(waitMs, policy, dimension);
}

function refusalOf(waitMs: number, policy: string, dimension: string): Error {
  limitRejectionsTotal.add(1, { policy, dimension });
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
  return commonErrors.rate_limited({ retryAfterSeconds, internal: `policy ${policy}, dimension ${dimension}` });
}

/** The app's limiters. */
export const limits = new Limits({
  scale: cfg.limits.scale,
  ...(cfg.redisUrl === undefined ? {} : { redis: connectRedis(cfg.redisUrl) }),
});
