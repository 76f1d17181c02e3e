// Rate limits: the policy table and one way to charge it. Counters live in Redis when the app has one
// (shared by all replicas), else in this process; when Redis is away or hangs, stricter ones in this process stand in.
// Failed authentications are always counted in this process: refusing them may wait for nobody.
import { appMeta } from "encore.dev";
import type { Redis } from "ioredis";

import { cfg } from "../config";
import { commonErrors } from "./common-errors";
import { MemoryCounter } from "./counter";
import type { Quota, SlidingWindowQuota, TokenBucketQuota } from "./quota";
import { standingOf, type Standing } from "./rate-limit-headers";
import { connectRedis, RedisStore, type SharedCharge, watchRedis } from "./redis-counter";
import { trips } from "./trips";

export { connectRedis } from "./redis-counter";

/**
 * Who is counted. `anonymousIp` holds for callers who are not signed in, `ip` for those who are. Of attempts to sign
 * in: `accountAtIp` one account from one address, `account` one account from everywhere; of mails to one address: `account` what one
 * asks for, the other three what all of that standing ask for together (auth/mail-standing.ts).
 */
export type Dimension =
  | "anonymousIp"
  | "ip"
  | "user"
  | "key"
  | "tenant"
  | "account"
  | "accountAtIp"
  | "byNewcomers"
  | "byKnown"
  | "byEstablished";

/** For callers we know: a client that slept may catch up, and waits no longer than until one point is back. */
const burst = (points: number): TokenBucketQuota => ({ algorithm: "token-bucket", points, windowSeconds: 60 });
/** For strangers and what is worth guessing at: not one more in any time of that length. */
const strict = (points: number, windowSeconds = 60): SlidingWindowQuota => ({
  algorithm: "sliding-window",
  points,
  windowSeconds,
});

/** Each policy's quotas by dimension; a dimension that is absent is not counted. `LIMIT_SCALE` multiplies the points. */
export const limitPolicies = {
  /** Every exposed endpoint that names no other policy. */
  default: { anonymousIp: strict(100), ip: burst(3000), user: burst(1200), key: burst(1200), tenant: burst(12_000) },
  /**
   * Sign-in and registration: dear to compute and worth guessing at. One address shuts itself out of one account,
   * long before it shuts out the account's owner, who is elsewhere.
   */
  auth: {
    anonymousIp: strict(60),
    // Of those who are signed in: an office behind one address signs out and switches as it likes.
    ip: strict(1200),
    user: strict(60),
    key: strict(60),
    tenant: strict(600),
    accountAtIp: { ...strict(5, 900), blockSeconds: 900 },
    account: strict(50, 3600),
  },
  /** What ends in a mail to somebody: `account` counts the mails that one address is sent, apart by who asks (auth/attempts.ts). */
  mail: {
    anonymousIp: strict(30),
    ip: strict(60),
    user: strict(30),
    key: strict(30),
    tenant: strict(300),
    account: strict(5, 3600),
    byNewcomers: strict(15, 3600),
    byKnown: strict(10, 3600),
    byEstablished: strict(10, 3600),
  },
  /** Staying signed in: everybody in an office behind one address does it every few minutes, perhaps all at once. */
  refresh: { anonymousIp: burst(3000), ip: burst(3000), user: burst(60), key: burst(60), tenant: burst(12_000) },
  /** A corpus arrives as hundreds of documents at once. A document costs by its size. */
  ingest: { anonymousIp: strict(20), ip: burst(12_000), user: burst(6000), key: burst(6000), tenant: burst(12_000) },
  /** Reads everything of an organisation: for a person now and then, not for a program. */
  export: { anonymousIp: strict(5, 3600), ip: strict(60, 3600), user: strict(6, 3600), tenant: strict(12, 3600) },
  /** Each search embeds its query. */
  search: { anonymousIp: strict(20), ip: burst(1200), user: burst(600), key: burst(600), tenant: burst(6000) },
  /** Each call asks a model, which takes seconds and costs money. */
  ai: { anonymousIp: strict(20), ip: burst(1200), user: burst(120), key: burst(600), tenant: burst(1200) },
  /** Each recipient costs a point. `account`: from one sender, who does not manage notifications, to one person. */
  notification: {
    anonymousIp: strict(20),
    ip: burst(12_000),
    user: burst(600),
    key: burst(1200),
    tenant: burst(6000),
    account: strict(120, 3600),
  },
  /** Each run has a process for itself. It costs by the time that it may take. */
  sandbox: { anonymousIp: strict(20), ip: burst(1200), user: burst(120), key: burst(600), tenant: burst(600) },
  /** Webhooks that come in: of one sender all come from a few addresses, at times hundreds at once. */
  webhook: { anonymousIp: burst(3000), ip: burst(3000), user: burst(1200), key: burst(1200), tenant: burst(12_000) },
} as const satisfies Record<string, Partial<Record<Dimension, Quota>>>;

/** Points of failed authentications that an address has, by what failed. `LIMIT_SCALE` multiplies them too. */
export const failureQuotas = {
  signIn: strict(20),
  refresh: strict(60),
  /** A forged access token or key costs ten points, one that has merely expired costs one. */
  accessToken: strict(600),
  /** Tokens of mailed links: nobody mistypes one. */
  oneTimeToken: strict(20),
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
  /** Instead of `user`, when an API key calls. */
  key?: string | undefined;
  tenant?: string | undefined;
}

/** One quota with its counter in this process: the only one, or the one that stands in for Redis. */
interface Limit {
  policy: string;
  dimension: string;
  quota: Quota;
  memory: MemoryCounter;
}

interface Charge {
  limit: Limit;
  key: string;
}

/** A full set of counters over one store. The app has one (`limits`); tests make their own. */
export class Limits {
  private readonly table = {} as Record<LimitPolicy, Partial<Record<Dimension, Limit>>>;
  private readonly failures = {} as Record<FailureKind, Limit>;
  private readonly store: RedisStore | undefined;

  constructor({ scale, redis }: { scale: number; redis?: Redis }) {
    this.store = redis === undefined ? undefined : new RedisStore(redis);
    const limitOf = (policy: string, dimension: string, declared: Quota, share: number): Limit => {
      const quota = { ...declared, points: Math.max(1, Math.round(declared.points * scale)) };
      const memory = new MemoryCounter({ ...quota, points: Math.max(1, Math.floor(quota.points * share)) });
      return { policy, dimension, quota, memory };
    };
    for (const [policy, quotas] of Object.entries(limitPolicies)) {
      const row: Partial<Record<Dimension, Limit>> = {};
      for (const [dimension, quota] of Object.entries(quotas))
        row[dimension as Dimension] = limitOf(policy, dimension, quota, this.store === undefined ? 1 : 0.5);
      this.table[policy as LimitPolicy] = row;
    }
    for (const [kind, quota] of Object.entries(failureQuotas))
      this.failures[kind as FailureKind] = limitOf(kind, "failure", quota, 1);
  }

  /**
   * Charges one request of a caller: by who they are, their tenant and their address, the narrowest first, so that
   * whoever is over their own quota takes nothing of the others'. Answers the quota that is nearly used up, if one is;
   * a promise only when counting has to wait for Redis.
   * @throws APIError resource_exhausted with retryAfterSeconds when a quota is used up; the promise rejects with it.
   */
  consumeCaller(
    policy: LimitPolicy,
    { user, key, tenant, ip }: LimitedCaller,
    cost = 1,
  ): Standing | undefined | Promise<Standing | undefined> {
    if (this.store !== undefined) return this.consumeShared(this.chargesOf(policy, { user, key, tenant, ip }), cost);
    const row = this.table[policy];
    const nowMs = performance.now();
    let near: Standing | undefined;
    if (key !== undefined) near = take(row.key, key, cost, nowMs, near);
    else if (user !== undefined) near = take(row.user, user, cost, nowMs, near);
    const isKnown = user !== undefined || key !== undefined;
    if (isKnown && tenant !== undefined) near = take(row.tenant, tenant, cost, nowMs, near);
    if (ip !== undefined) near = take(isKnown ? row.ip : row.anonymousIp, ip, cost, nowMs, near);
    return near;
  }

  /**
   * Charges `key`; does nothing when the policy has no such dimension.
   * @throws APIError resource_exhausted with retryAfterSeconds when the quota is used up.
   */
  async consume(policy: LimitPolicy, dimension: Dimension, key: string, cost = 1): Promise<void> {
    const limit = this.table[policy][dimension];
    if (limit === undefined) return;
    if (this.store !== undefined) await this.consumeShared([{ limit, key }], cost);
    else take(limit, key, cost, performance.now(), undefined);
  }

  /**
   * Charges a caller what is known only afterwards, refused or not: the next requests wait for it. Negative costs give
   * back what was charged for work that was not done.
   */
  async settleCaller(policy: LimitPolicy, caller: LimitedCaller, cost: number): Promise<void> {
    const charges = this.chargesOf(policy, caller);
    if (this.store !== undefined && (await this.store.settle(charges.map(sharedCharge), cost))) return;
    for (const { limit, key } of charges) limit.memory.settle(key, cost);
  }

  /** Forgets what `key` has used: after a successful sign-in, for the account's counters. */
  async forget(policy: LimitPolicy, dimension: Dimension, key: string): Promise<void> {
    const limit = this.table[policy][dimension];
    if (limit === undefined) return;
    limit.memory.forget(key);
    await this.store?.forget(sharedKey(limit, key));
  }

  /**
   * Before any work on a caller's credentials: whether their address has failed too often lately.
   * @throws APIError resource_exhausted with retryAfterSeconds.
   */
  assertFewFailures(kind: FailureKind, address: string): void {
    const limit = this.failures[kind];
    const waitMs = limit.memory.waitMs(address);
    if (waitMs > 0) throw refusalOf(limit, address, waitMs);
  }

  /** Counts a failed authentication of this address. */
  countFailure(kind: FailureKind, address: string, points = 1): void {
    this.failures[kind].memory.settle(address, points);
  }

  private chargesOf(policy: LimitPolicy, { user, key, tenant, ip }: LimitedCaller): Charge[] {
    const row = this.table[policy];
    const isKnown = user !== undefined || key !== undefined;
    const charges = [
      [row.key, key],
      [row.user, key === undefined ? user : undefined],
      [row.tenant, isKnown ? tenant : undefined],
      [isKnown ? row.ip : row.anonymousIp, ip],
    ] as const;
    return charges.flatMap(([limit, by]) => (limit === undefined || by === undefined ? [] : [{ limit, key: by }]));
  }

  private async consumeShared(charges: readonly Charge[], cost: number): Promise<Standing | undefined> {
    const answers = await this.store?.consume(charges.map(sharedCharge), cost);
    let near: Standing | undefined;
    charges.forEach(({ limit, key }, i) => {
      const left = answers === undefined ? limit.memory.consume(key, performance.now(), cost) : (answers[i] ?? 0);
      near = judge(limit, key, left, near);
    });
    return near;
  }
}

const sharedKey = ({ policy, dimension }: Limit, key: string): string => `limit:${policy}:${dimension}:${key}`;
const sharedCharge = ({ limit, key }: Charge): SharedCharge => ({ key: sharedKey(limit, key), quota: limit.quota });

function take(
  limit: Limit | undefined,
  key: string,
  cost: number,
  nowMs: number,
  near: Standing | undefined,
): Standing | undefined {
  return limit === undefined ? near : judge(limit, key, limit.memory.consume(key, nowMs, cost), near);
}

/** Callers are told of a quota while less of it than this is left: saying it to everybody would cost each answer. */
const NEAR = 0.2;

/** The nearer one of two standings. @throws APIError rate_limited for minus a time to wait. */
function judge(limit: Limit, key: string, left: number, near: Standing | undefined): Standing | undefined {
  if (left < 0) throw refusalOf(limit, key, -left);
  const { points } = limit.quota;
  if (left >= points * NEAR) return near;
  return near !== undefined && near.left / near.quota.points <= left / points ? near : standingOf(limit, left);
}

function refusalOf(limit: Limit, key: string, waitMs: number): Error {
  const { policy, dimension, quota } = limit;
  trips.note({ policy, dimension, windowSeconds: quota.windowSeconds }, key);
  return commonErrors.rate_limited({
    retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
    limit: { name: `${policy}.${dimension}`, quota: quota.points, windowSeconds: quota.windowSeconds },
    internal: `limit ${policy}.${dimension}`,
  });
}

const appPrefix = (): string => (appMeta().appId === "" ? "groundwork:" : `groundwork:${appMeta().appId}:`);
const redis = cfg.redisUrl === undefined ? undefined : connectRedis(cfg.redisUrl, appPrefix());
if (redis !== undefined) watchRedis(redis);

/** The app's limiters. */
export const limits = new Limits({ scale: cfg.limits.scale, ...(redis === undefined ? {} : { redis }) });
