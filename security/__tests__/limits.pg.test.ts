// Limits on a real Redis: part of `npm run test:pg`, which brings one.
import { randomUUID } from "node:crypto";
import { type Redis } from "ioredis";
import { afterAll, describe, expect, test } from "vitest";
import { reasonOf } from "../errors";
import { connectRedis, Limits } from "../limits";

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
