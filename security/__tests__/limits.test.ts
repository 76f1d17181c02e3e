import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Redis } from "ioredis";
import { renderPrometheus } from "../../telemetry/metrics";
import { reasonOf } from "../errors";
import { checkReadiness } from "../../telemetry/probes";
import { watchRedis } from "../redis-counter";
import { Limits, connectRedis, failureQuotas, isLimitPolicy, limitPolicies } from "../limits";
import { rateLimitHeaders, type Standing } from "../rate-limit-headers";
import { Trips } from "../trips";

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
    expect(details.retryAfterSeconds).toBeLessThanOrEqual(70);
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
    vi.advanceTimersByTime(70_001);
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
        // Enough of the protocol to be called ready (INFO), and for the limiter's script: the points left of one key.
        for (const command of text.split(/(?=\*\d+\r\n\$)/))
          if (/info/i.test(command)) socket.write("$15\r\nredis_version:8\r\n");
          else if (/evalsha|eval/i.test(command)) socket.write("*1\r\n:99\r\n");
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

  test("is told of by readiness within its time limit, and takes nobody out of service", async () => {
    const { redis, hang, stop } = await startRedis(true);
    const forget = watchRedis(redis);
    const seen = async (nowMs: number): Promise<unknown> => {
      const { ready, checks } = await checkReadiness(nowMs);
      return [ready, checks.find(({ name }) => name === "redis")?.ok];
    };
    await expect.poll(() => redis.status).toBe("ready");
    expect(await seen(1e9)).toEqual([true, true]);
    hang();
    expect(await seen(2e9)).toEqual([true, false]);
    forget();
    stop();
  });

  test("from the start stops nobody: each request is counted here at once", async () => {
    const { limits, stop } = await startRedis(false);
    const startedAtMs = performance.now();
    for (let i = 0; i < 50; i++) await limits.consume("default", "anonymousIp", "k");
    expect(performance.now() - startedAtMs, "ms; asking Redis takes 250 each").toBeLessThan(5_000);
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
    expect(performance.now() - laterMs, "ms; asking Redis takes 250 each").toBeLessThan(3_000);
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

describe("a caller's request", () => {
  const strictly = new Limits({ scale: 0.001 }); // default: one each for address, user, key; 3 and 12 for the others
  const charge = async (caller: Parameters<Limits["consumeCaller"]>[1], cost = 1): Promise<unknown> =>
    strictly.consumeCaller("default", caller, cost);

  test("over its user's quota takes nothing of the tenant's and the address's", async () => {
    const caller = { user: "u", tenant: "t", ip: "203.0.113.1" };
    await charge(caller);
    for (let i = 0; i < 50; i++)
      expect((await refusal(charge(caller))).details.limit).toMatchObject({ name: "default.user" });
    for (let i = 0; i < 2; i++) await charge({ ...caller, user: `other${i}` });
    expect((await refusal(charge({ ...caller, user: "fourth" }))).details.limit).toMatchObject({ name: "default.ip" });
  });

  test("by a key is counted by the key, and not as a person of the same id", async () => {
    await charge({ key: "same", tenant: "t2", ip: "203.0.113.2" });
    await charge({ user: "same", tenant: "t2", ip: "203.0.113.2" });
    expect((await refusal(charge({ key: "same", tenant: "t2", ip: "203.0.113.2" }))).details.limit).toMatchObject({
      name: "default.key",
    });
  });

  test("is refused with the limit that it met: its name, its quota and its window", async () => {
    await charge({ ip: "203.0.113.3" });
    const { details } = await refusal(charge({ ip: "203.0.113.3" }));
    expect(details.limit).toEqual({ name: "default.anonymousIp", quota: 1, windowSeconds: 60 });
  });

  test("is told of the quota that is nearest to its end once less than a fifth is left, and before that of none", async () => {
    const roomy = new Limits({ scale: 0.1 }); // ten for an address, 120 for a user
    for (let i = 0; i < 8; i++) expect(roomy.consumeCaller("default", { ip: "203.0.113.4" })).toBeUndefined();
    const near = roomy.consumeCaller("default", { ip: "203.0.113.4" });
    expect(near).toMatchObject({ name: "default.anonymousIp", left: 1 });
    expect(rateLimitHeaders(near as Standing)).toEqual({
      "ratelimit-policy": '"default.anonymousIp";q=10;w=60',
      ratelimit: '"default.anonymousIp";r=1;t=60',
    });
    const user = roomy.consumeCaller("default", { user: "u", ip: "203.0.113.5" }, 119);
    expect(rateLimitHeaders(user as Standing)).toEqual({
      "ratelimit-policy": '"default.user";q=120;w=60',
      ratelimit: '"default.user";r=1;t=60',
    });
  });

  test("costs what its work costs, known before or after it, and gets back what was not done", async () => {
    const roomy = new Limits({ scale: 0.01 }); // twelve for a user
    const caller = { user: "u" };
    void roomy.consumeCaller("default", caller, 10);
    await roomy.settleCaller("default", caller, 2);
    await expect(async () => roomy.consumeCaller("default", caller)).rejects.toThrow();
    await roomy.settleCaller("default", caller, -12);
    void roomy.consumeCaller("default", caller, 11);
  });
});

describe("a limit that refuses", () => {
  test("is counted each time, and said once a window", async () => {
    const said: unknown[] = [];
    const trips = new Trips((line) => said.push(line));
    const limit = { policy: "test", dimension: "trips", windowSeconds: 60 };
    for (let i = 0; i < 1_000; i++) trips.note(limit, `k${i}`, 0);
    trips.note(limit, "k", 59_999);
    trips.note({ ...limit, policy: "other" }, "k", 59_999);
    trips.note(limit, "later", 60_000);
    expect(said).toEqual([
      { limit: "test.trips", key: "k0", refusedSinceLastLine: 0 },
      { limit: "other.trips", key: "k", refusedSinceLastLine: 0 },
      { limit: "test.trips", key: "later", refusedSinceLastLine: 1_000 },
    ]);
    expect(await renderPrometheus()).toContain('limit_rejections_total{policy="test",dimension="trips"} 1002');
  });
});
