import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Redis } from "ioredis";
import { reasonOf } from "../errors";
import { WindowCounter } from "../counter";
import { Limits, connectRedis, failureQuotas, isLimitPolicy, limitPolicies } from "../limits";

afterEach(() => vi.useRealTimers());

async function used(limits: Limits, times: number, key = "k"): Promise<void> {
  for (let i = 0; i < times; i++) await limits.consume("default", "anonymousIp", key);
}

const refusal = (work: Promise<unknown>): Promise<{ reason: string | undefined; details: Record<string, unknown> }> =>
  work.then(
    () => Promise.reject(new Error("was not refused")),
    (error: { details: Record<string, unknown> }) => ({ reason: reasonOf(error), details: error.details }),
  );

const attempt = async (work: () => void): Promise<void> => work();

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

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

  test("against guessing passwords allows an address five attempts on an account, and success forgets them", async () => {
    const limits = new Limits({ scale: 1 });
    for (let i = 0; i < 5; i++) await limits.consume("auth", "accountAtIp", "digest");
    const { details } = await refusal(limits.consume("auth", "accountAtIp", "digest"));
    expect(details.retryAfterSeconds).toBeGreaterThan(800);
    await limits.forget("auth", "accountAtIp", "digest");
    await limits.consume("auth", "accountAtIp", "digest");
  });

  test("against guessing passwords from many addresses allows an account fifty an hour", async () => {
    const limits = new Limits({ scale: 1 });
    for (let i = 0; i < 50; i++) await limits.consume("auth", "account", "digest");
    expect((await refusal(limits.consume("auth", "account", "digest"))).details.retryAfterSeconds).toBeGreaterThan(
      3500,
    );
  });

  test("under a hundred requests at once lets exactly its quota through", async () => {
    const limits = new Limits({ scale: 0.1 });
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, () => limits.consume("default", "anonymousIp", "k")),
    );
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(10);
  });
});

describe("counting in memory", () => {
  const quota = { points: 2, windowSeconds: 60 };

  test("holds no more keys than its bound, however many addresses come", () => {
    const counter = new WindowCounter(quota, 1000);
    let most = 0;
    for (let i = 0; i < 20_000; i++) {
      counter.consume(`2001:db8:${i.toString(16)}::/64`);
      most = Math.max(most, counter.size);
    }
    expect(most).toBeLessThanOrEqual(1000);
    expect(most).toBeGreaterThan(500);
  });

  // Else a flood of other addresses would be a way to get new attempts.
  test("keeps a key that is over its quota shut through a flood of others", () => {
    const counter = new WindowCounter(quota, 1000);
    for (let i = 0; i < 3; i++) counter.consume("guesser", 0);
    for (let i = 0; i < 20_000; i++) counter.consume(`other${i}`, 1);
    expect(counter.waitMs("guesser", 2)).toBeGreaterThan(0);
    expect(counter.consume("guesser", 2)).toBeGreaterThan(0);
    expect(counter.consume("guesser", 60_001)).toBe(0);
  });

  test("says how long to wait without counting, and weighs what costs more", () => {
    const counter = new WindowCounter({ points: 10, windowSeconds: 60 });
    expect([counter.waitMs("k", 0), counter.waitMs("k", 0)]).toEqual([0, 0]);
    expect(counter.consume("k", 0, 9)).toBe(0);
    expect(counter.waitMs("k", 1_000)).toBe(0);
    counter.consume("k", 1_000, 1);
    expect(counter.waitMs("k", 1_000)).toBe(59_000);
    expect(counter.waitMs("k", 60_000)).toBe(0);
  });
});

describe("failed authentications", () => {
  test("shut the address they come from, of their kind only, and nobody else", async () => {
    const limits = new Limits({ scale: 1 });
    for (let i = 0; i < failureQuotas.signIn.points; i++) limits.countFailure("signIn", "203.0.113.9");
    expect((await refusal(attempt(() => limits.assertFewFailures("signIn", "203.0.113.9")))).reason).toBe(
      "rate_limited",
    );
    limits.assertFewFailures("signIn", "203.0.113.10");
    limits.assertFewFailures("refresh", "203.0.113.9");
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

describe("a Redis that hangs", () => {
  /** Accepts connections; answers as Redis does until `hang()`, nothing after. */
  async function startRedis(answersAtFirst: boolean) {
    let answers = answersAtFirst;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", (data) => {
        if (!answers) return;
        const text = data.toString();
        // Enough of the protocol to be called ready (INFO), and for the limiter's script: two numbers.
        for (const command of text.split(/(?=\*\d+\r\n\$)/))
          if (/info/i.test(command)) socket.write("$15\r\nredis_version:8\r\n");
          else if (/evalsha|eval/i.test(command)) socket.write("*2\r\n:1\r\n:60000\r\n");
          else socket.write("+OK\r\n");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const redis = connectRedis(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return {
      redis,
      limits: new Limits({ scale: 1, redis }),
      hang: () => void (answers = false),
      stop: () => {
        redis.disconnect();
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    };
  }

  test("from the start stops nobody: each request is counted here at once", async () => {
    const { limits, stop } = await startRedis(false);
    const startedAtMs = performance.now();
    for (let i = 0; i < 50; i++) await limits.consume("default", "anonymousIp", "k");
    expect(performance.now() - startedAtMs).toBeLessThan(300);
    expect((await refusal(limits.consume("default", "anonymousIp", "k"))).reason).toBe("rate_limited");
    stop();
  });

  test("in the middle costs the requests under way its time-out, once, and those after them nothing", async () => {
    const { redis, limits, hang, stop } = await startRedis(true);
    await until(() => redis.status === "ready");
    await limits.consume("default", "anonymousIp", "k");
    hang();
    const startedAtMs = performance.now();
    await Promise.all(Array.from({ length: 20 }, () => limits.consume("default", "anonymousIp", "k")));
    expect(performance.now() - startedAtMs).toBeGreaterThan(200);
    const laterMs = performance.now();
    for (let i = 0; i < 30; i++) await limits.consume("default", "anonymousIp", "k");
    expect(performance.now() - laterMs).toBeLessThan(150);
    expect((await refusal(limits.consume("default", "anonymousIp", "k"))).reason).toBe("rate_limited");
    stop();
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
