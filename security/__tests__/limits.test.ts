import { afterEach, describe, expect, test, vi } from "vitest";
import { Redis } from "ioredis";
import { reasonOf } from "../errors";
import { Limits, isLimitPolicy, limitPolicies } from "../limits";

afterEach(() => vi.useRealTimers());

async function used(limits: Limits, times: number, key = "k"): Promise<void> {
  for (let i = 0; i < times; i++) await limits.consume("default", "anonymousIp", key);
}

const refusal = (work: Promise<unknown>): Promise<{ reason: string | undefined; details: Record<string, unknown> }> =>
  work.then(
    () => Promise.reject(new Error("was not refused")),
    (error: { details: Record<string, unknown> }) => ({ reason: reasonOf(error), details: error.details }),
  );

describe("a limit", () => {
  test("refuses what is over its quota and says when to come again", async () => {
    const limits = new Limits({ scale: 0.05 });
    await used(limits, 5);
    const { reason, details } = await refusal(limits.consume("default", "anonymousIp", "k"));
    expect(reason).toBe("rate_limited");
    expect(details.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(details.retryAfterSeconds).toBeLessThanOrEqual(60);
  });

  test("counts every key, dimension and policy by itself", async () => {
    const limits = new Limits({ scale: 0.01 });
    await limits.consume("default", "anonymousIp", "a");
    await limits.consume("default", "anonymousIp", "b");
    await limits.consume("default", "user", "a");
    await limits.consume("auth", "anonymousIp", "a");
    expect((await refusal(limits.consume("default", "anonymousIp", "a"))).reason).toBe("rate_limited");
  });

  test("opens again when its window has passed", async () => {
    vi.useFakeTimers();
    const limits = new Limits({ scale: 0.01 });
    await limits.consume("default", "anonymousIp", "k");
    await refusal(limits.consume("default", "anonymousIp", "k"));
    vi.advanceTimersByTime(60_001);
    await limits.consume("default", "anonymousIp", "k");
  });

  test("does nothing for a dimension that its policy does not count", async () => {
    const limits = new Limits({ scale: 0.001 });
    for (let i = 0; i < 10; i++) await limits.consume("default", "account", "k");
  });

  test("against guessing passwords allows five attempts on an account, whatever the address, and is forgotten after success", async () => {
    const limits = new Limits({ scale: 1 });
    for (let i = 0; i < 5; i++) await limits.consume("auth", "account", "digest");
    const { details } = await refusal(limits.consume("auth", "account", "digest"));
    expect(details.retryAfterSeconds).toBeGreaterThan(800);
    await limits.forget("auth", "account", "digest");
    await limits.consume("auth", "account", "digest");
  });

  test("under a hundred requests at once lets exactly its quota through", async () => {
    const limits = new Limits({ scale: 0.1 });
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, () => limits.consume("default", "anonymousIp", "k")),
    );
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(10);
  });
});

describe("while Redis is away", () => {
  test("half the quota holds in this process: limits never fail open", async () => {
    const redis = new Redis("redis://127.0.0.1:1", {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    redis.on("error", () => {});
    const limits = new Limits({ scale: 0.1, redis });
    await used(limits, 5);
    expect((await refusal(limits.consume("default", "anonymousIp", "k"))).reason).toBe("rate_limited");
    redis.disconnect();
  });
});

describe("the policy table", () => {
  test("each policy that endpoints may name counts addresses, users and tenants", () => {
    for (const [name, quotas] of Object.entries(limitPolicies)) {
      expect(isLimitPolicy(name)).toBe(true);
      expect(Object.keys(quotas)).toEqual(expect.arrayContaining(["anonymousIp", "ip", "user", "tenant"]));
    }
    expect(isLimitPolicy("toString")).toBe(false);
  });
});
