// The bus over all replicas, on a real Redis: the contract, and what only shows between processes.
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { newId } from "../../db/ids";
import { WAITING_MAX } from "../buses/bus";
import { RedisStreamBus } from "../buses/redis-stream-bus";
import { defineBusContract, newNotice } from "./bus-contract";

const url = new URL(process.env.GROUNDWORK_TEST_REDIS_URL ?? "");
url.pathname = "/9";
const prefix = `test-bus-${newId()}`;
const settings = { prefix, staleMs: 400 };
const redis = new Redis(url.href);
const others: RedisStreamBus[] = [];
const another = (): RedisStreamBus => {
  const bus = new RedisStreamBus(url.href, settings);
  others.push(bus);
  return bus;
};

defineBusContract("on Redis streams", new RedisStreamBus(url.href, { prefix }));

const keys = (): string[] => ["billing", "security", "system", "user"].map((category) => `${prefix}:${category}`);
beforeAll(() => redis.del(...keys()));
afterAll(async () => {
  await Promise.all(others.map((bus) => bus.close()));
  await redis.del(...keys());
  redis.disconnect();
});

test("a notice is one for the group, whichever replica publishes and whichever reads", async () => {
  const notice = newNotice();
  const seen: number[] = [];
  const [a, b] = [another(), another()];
  for (const bus of [a, b])
    await bus.subscribe(notice, async ({ data: { n } }) => void seen.push(n), { group: "once" });
  const all = Array.from({ length: 50 }, (_, n) => n);
  for (const n of all) await (n % 2 === 0 ? a : b).publish(notice, { n });
  await vi.waitFor(() => expect([...seen].sort((x, y) => x - y)).toEqual(all), { timeout: 90_000 });
});

test("what stands in the stream is plain text, and bounded", async () => {
  const notice = newNotice("billing");
  const bus = another();
  const id = await bus.publish(notice, { n: 5 });
  const [entry] = await redis.xrevrange(`${prefix}:billing`, "+", "-", "COUNT", 1);
  const fields = entry?.[1] ?? [];
  expect(fields.slice(0, 6)).toEqual(["id", id, "type", notice.type, "tenant", ""]);
  expect(fields.slice(-2)).toEqual(["data", '{"n":5}']);
  for (let n = 0; n < 30; n++) await Promise.all(Array.from({ length: 100 }, () => bus.publish(notice, { n })));
  // Trimmed by whole nodes of a hundred entries.
  expect(await redis.xlen(`${prefix}:billing`)).toBeLessThanOrEqual(WAITING_MAX + 100);
});

test("what a replica had taken that died is taken over, and dropped when it has ended three", async () => {
  const notice = newNotice("security");
  const [key, group] = [`${prefix}:security`, `heirs:${notice.type}`];
  const bus = another();
  await redis.xgroup("CREATE", key, group, "$", "MKSTREAM");
  await bus.publish(notice, { n: 1 });
  await bus.publish(notice, { n: 2 });
  await redis.xreadgroup("GROUP", group, "dead", "COUNT", 2, "STREAMS", key, ">");
  // The second one has ended two more.
  const [, [, two] = []] = (await redis.xpending(key, group, "-", "+", 2)) as [string, ...unknown[]][];
  expect(two).toBe("dead");
  const pending = (await redis.xpending(key, group, "-", "+", 2)) as [string, string, number, number][];
  for (const heir of ["dead-2", "dead-3"]) await redis.xclaim(key, group, heir, 0, pending[1]![0]);
  const seen: number[] = [];
  await bus.subscribe(notice, async ({ data: { n } }) => void seen.push(n), { group: "heirs" });
  await vi.waitFor(async () => expect((await redis.xpending(key, group))[0]).toBe(0), {
    timeout: 45_000,
  });
  expect(seen).toEqual([1]);
});

test("an entry that was trimmed while it was pending holds nobody up", async () => {
  const notice = newNotice("user");
  const [key, group] = [`${prefix}:user`, `late:${notice.type}`];
  const bus = another();
  await redis.xgroup("CREATE", key, group, "$", "MKSTREAM");
  await bus.publish(notice, { n: 1 });
  await redis.xreadgroup("GROUP", group, "dead", "COUNT", 1, "STREAMS", key, ">");
  await redis.xtrim(key, "MAXLEN", 0);
  const seen: number[] = [];
  await bus.subscribe(notice, async ({ data: { n } }) => void seen.push(n), { group: "late" });
  await bus.publish(notice, { n: 2 });
  await vi.waitFor(() => expect(seen).toEqual([2]), { timeout: 90_000 });
  await vi.waitFor(async () => expect((await redis.xpending(key, group))[0]).toBe(0), {
    timeout: 45_000,
  });
});

test("a stream that is gone with its groups is begun anew, and loses nothing that comes behind", async () => {
  const notice = newNotice();
  const bus = another();
  const seen: number[] = [];
  await bus.subscribe(notice, async ({ data: { n } }) => void seen.push(n), { group: "survivors" });
  await redis.del(`${prefix}:system`);
  await bus.publish(notice, { n: 1 });
  await vi.waitFor(() => expect(seen).toEqual([1]), { timeout: 90_000 });
});

test("who leaves is no consumer any more, and no connection is left", async () => {
  const notice = newNotice();
  const bus = another();
  const connections = async (): Promise<number> => String(await redis.call("CLIENT", "LIST")).split("db=9").length;
  await bus.publish(notice, { n: 0 });
  const before = await connections();
  for (let n = 0; n < 2; n++) await (await bus.subscribe(notice, async () => undefined, { group: "leavers" })).close();
  expect(await redis.xinfo("CONSUMERS", `${prefix}:system`, `leavers:${notice.type}`)).toEqual([]);
  await vi.waitFor(async () => expect(await connections()).toBeLessThanOrEqual(before), { timeout: 90_000 });
});

test("a Redis that is not there refuses to publish and to subscribe, in a bounded time", async () => {
  const bus = new RedisStreamBus("redis://127.0.0.1:1", { prefix, limitMs: 200 });
  await expect(bus.publish(newNotice(), { n: 1 })).rejects.toThrow();
  await expect(bus.subscribe(newNotice(), async () => undefined)).rejects.toThrow();
  await bus.close();
});
