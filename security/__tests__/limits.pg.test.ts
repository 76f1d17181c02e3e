// Limits on a real Redis: part of `npm run test:pg`, which brings one.
import { randomUUID } from "node:crypto";
import { type Redis } from "ioredis";
import { afterAll, describe, expect, test } from "vitest";
import { reasonOf } from "../errors";
import { connectRedis, Limits } from "../limits";
import type { Quota } from "../quota";
import { RedisStore } from "../redis-counter";
import { randomFrom } from "./random";

const url = process.env.GROUNDWORK_TEST_REDIS_URL ?? "";
const clients: Redis[] = [];

/** One replica: its own connection, as the app makes it. */
async function replica(scale: number): Promise<{ limits: Limits; redis: Redis }> {
  const redis = connectRedis(url);
  clients.push(redis);
  if (redis.status !== "ready") await new Promise((resolve) => redis.once("ready", resolve));
  return { limits: new Limits({ scale, redis }), redis };
}

const isAllowed = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    (error: unknown) => {
      if (reasonOf(error) === "rate_limited") return false;
      throw error;
    },
  );

afterAll(() => {
  for (const client of clients) client.disconnect();
});

describe("limits on Redis", () => {
  test("are one quota for all replicas, exact under two hundred requests at once", async () => {
    const [a, b] = await Promise.all([replica(0.5), replica(0.5)]);
    const key = randomUUID();
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        isAllowed((i % 2 === 0 ? a : b).limits.consume("default", "anonymousIp", key)),
      ),
    );
    expect(results.filter(Boolean)).toHaveLength(50);
  });

  test("shut an account for all replicas, and forget it for all", async () => {
    const [a, b] = await Promise.all([replica(1), replica(1)]);
    const key = randomUUID();
    for (let i = 0; i < 5; i++) expect(await isAllowed(a.limits.consume("auth", "accountAtIp", key))).toBe(true);
    expect(await isAllowed(b.limits.consume("auth", "accountAtIp", key))).toBe(false);
    await b.limits.forget("auth", "accountAtIp", key);
    expect(await isAllowed(a.limits.consume("auth", "accountAtIp", key))).toBe(true);
  });

  test("hold in process when Redis goes away in the middle, and are shared again when it is back", async () => {
    const { limits, redis } = await replica(0.1);
    const key = randomUUID();
    expect(await isAllowed(limits.consume("default", "anonymousIp", key))).toBe(true);
    const ended = new Promise((resolve) => redis.once("end", resolve));
    redis.disconnect();
    await ended;
    const alone = await Promise.all(
      Array.from({ length: 20 }, () => isAllowed(limits.consume("default", "anonymousIp", key))),
    );
    expect(alone.filter(Boolean)).toHaveLength(5);
    await redis.connect();
    expect(await isAllowed(limits.consume("default", "anonymousIp", key))).toBe(true);
  });
});

describe("the script", () => {
  const window = (points: number, windowSeconds: number): Quota => ({
    algorithm: "sliding-window",
    points,
    windowSeconds,
  });
  const bucket = (points: number, windowSeconds: number): Quota => ({
    algorithm: "token-bucket",
    points,
    windowSeconds,
  });
  const store = async (): Promise<RedisStore> => new RedisStore((await replica(1)).redis);
  /** The points that are left, or minus the milliseconds to wait. */
  const take = async (at: RedisStore, quota: Quota, key: string, cost = 1): Promise<number> =>
    (await at.consume([{ key, quota }], cost))?.at(-1) ?? Number.NaN;

  test.each([
    ["sliding window", window, 0],
    ["token bucket", bucket, 1],
  ])("holds a %s over replicas, wherever a time of its length begins", async (_name, quotaOf, comesBack) => {
    const seed = Number(process.env.SEED ?? Date.now());
    const next = randomFrom(seed);
    const stores = await Promise.all([store(), store(), store()]);
    const [key, lengthMs, points] = [randomUUID(), 400, 8];
    const passed: { sentMs: number; receivedMs: number }[] = [];
    const endMs = performance.now() + 2_000;
    await Promise.all(
      stores.map(async (at) => {
        while (performance.now() < endMs) {
          const sentMs = performance.now();
          if ((await take(at, quotaOf(points, lengthMs / 1000), key)) >= 0)
            passed.push({ sentMs, receivedMs: performance.now() });
          else await new Promise((resolve) => setTimeout(resolve, next() * 60));
        }
      }),
    );
    expect(passed.length, `seed ${seed}`).toBeGreaterThan(points);
    for (const { sentMs: from } of passed) {
      // Redis counted each at some time between.
      const inside = passed.filter(({ sentMs, receivedMs }) => sentMs >= from && receivedMs < from + lengthMs);
      expect(inside.length, `seed ${seed}`).toBeLessThanOrEqual(points + comesBack * points);
    }
  });

  test.each([
    ["sliding window", window],
    ["token bucket", bucket],
  ])("weighs, gives back and keeps debts of a %s as the counter in memory does", async (_name, quotaOf) => {
    const [at, quota, key] = [await store(), quotaOf(10, 3600), randomUUID()];
    expect(await take(at, quota, key, 8)).toBe(2);
    expect(await take(at, quota, key, 2)).toBe(0);
    expect(await at.settle([{ key, quota }], -3)).toBe(true);
    expect(await take(at, quota, key, 2)).toBe(1);
    expect(await at.settle([{ key, quota }], 1_000)).toBe(true);
    expect(await at.settle([{ key, quota }], -11)).toBe(true);
    expect(await take(at, quota, key)).toBe(0);
    const huge = randomUUID();
    expect(await take(at, quota, huge, 1_000)).toBe(0);
    expect(await take(at, quota, huge)).toBeLessThan(0);
  });

  test("takes nothing behind the first quota that is used up, and lets every key expire", async () => {
    const { redis } = await replica(1);
    const at = new RedisStore(redis);
    const [narrow, wide] = [randomUUID(), randomUUID()];
    const charges = [
      { key: narrow, quota: window(2, 60) },
      { key: wide, quota: bucket(100, 60) },
    ];
    expect(await at.consume(charges, 1)).toEqual([1, 99]);
    expect(await at.consume(charges, 1)).toEqual([0, 98]);
    for (let i = 0; i < 5; i++) expect(await new RedisStore(redis).consume(charges, 1)).toHaveLength(1);
    expect(await take(at, bucket(100, 60), wide)).toBeGreaterThanOrEqual(97);
    expect(await redis.pttl(narrow)).toBeGreaterThan(59_000);
    expect(await redis.pttl(narrow)).toBeLessThanOrEqual(70_000);
    expect(await redis.pttl(wide)).toBeGreaterThan(0);
    expect(await redis.pttl(wide)).toBeLessThanOrEqual(3_000);
  });
});
