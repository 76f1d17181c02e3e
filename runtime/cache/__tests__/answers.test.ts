// what the official client says and does at the edges, the same on every store. Expected texts are those of its own code
// (redis 1.0) on the same steps.
import { Redis } from "ioredis";
import { afterAll, describe, expect, it, test } from "vitest";
import { CacheCluster } from "../cluster";
import { MemoryStore } from "../memory";
import { RedisStore } from "../redis-store";
import type { Store } from "../store";

const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL;
const stores: [string, () => Store][] = [["in process", () => new MemoryStore()]];
if (redisUrl) stores.push(["on Redis", () => new RedisStore(new Redis(redisUrl, { stringNumbers: true }))]);

const bytes = (text: string): Buffer => Buffer.from(text);
const minuteMs = 60_000;
const wrongKind = '"WRONGTYPE": Operation against a key holding the wrong kind of value';
const arity = (command: string): string => `ResponseError: wrong number of arguments for '${command}' command`;

type Call = (cache: CacheCluster) => Promise<unknown>;

describe.each(stores)("a cache %s", (_, open) => {
  const store = open();
  const prefix = `answers-${process.pid}-${Math.random()}/`;
  const cache = new CacheCluster(store, prefix);
  afterAll(() => store.close());

  const failure = async (call: Call): Promise<string> => {
    await cache.delete(["text", "list", "set"]);
    await cache.set("text", bytes("abc"));
    await cache.rpush("list", [bytes("x")]);
    await cache.sadd("set", [bytes("x")]);
    const message = await call(cache).then(
      () => "nothing failed",
      (error: unknown) => (error as Error).message,
    );
    return message.replace(prefix, "");
  };

  test.each<[string, Call]>([
    [`cache get "list": redis error: Pipeline failure: [(Index 0, error: ${wrongKind})]`, (c) => c.get("list")],
    [
      `cache append "list": redis error: Pipeline failure: [(Index 0, error: ${wrongKind})]`,
      (c) => c.append("list", bytes("x"), minuteMs),
    ],
    [
      'cache increment "text": redis error: Pipeline failure: [(Index 0, error: ResponseError: value is not an integer or out of range)]',
      (c) => c.incrBy("text", 1, minuteMs),
    ],
    [
      'cache increment "text": redis error: Pipeline failure: [(Index 0, error: ResponseError: value is not a valid float)]',
      (c) => c.incrByFloat("text", 1),
    ],
    ['cache list get "text": redis error: Pipeline failure', (c) => c.lindex("text", 0)],
    [
      'cache list set "list": redis error: Pipeline failure: [(Index 0, error: ResponseError: index out of range)]',
      (c) => c.lset("list", 5, bytes("x")),
    ],
    ['cache list trim "text": redis error: Pipeline failure', (c) => c.ltrim("text", 0, 1)],
    ['cache list len "text": redis error', (c) => c.llen("text")],
    ['cache list move "list": redis error', (c) => c.lmove("list", "text", "left", "left")],
    ['cache insert before "list": cache miss', (c) => c.linsertBefore("list", bytes("none"), bytes("x"), minuteMs)],
    [
      `cache push left "list": redis error: Pipeline failure: [(Index 0, error: ${arity("lpush")})]`,
      (c) => c.lpush("list", []),
    ],
    [
      `cache push left "list": redis error: Transaction aborted: [(Index 0, error: ${arity("lpush")})]`,
      (c) => c.lpush("list", [], minuteMs),
    ],
    ['cache set add "text": redis error', (c) => c.sadd("text", [bytes("x")])],
    [
      `cache set remove "set": redis error: Pipeline failure: [(Index 0, error: ${arity("srem")})]`,
      (c) => c.srem("set", []),
    ],
    ['cache set contains "text": redis error', (c) => c.sismember("text", bytes("x"))],
    ['cache set items "text": redis error', (c) => c.smembers("text")],
    ['cache set len "text": redis error', (c) => c.scard("text")],
    ['cache set pop one "text": redis error', (c) => c.spop("text")],
    ['cache set pop "text": redis error', (c) => c.spopN("text", 1)],
    ['cache set sample one "text": redis error', (c) => c.srandmember("text")],
    ['cache set sample "text": redis error', (c) => c.srandmemberN("text", 1)],
    ['cache set sample with replacement "text": redis error', (c) => c.srandmemberN("text", -1)],
    [`cache set diff "": redis error: Pipeline failure: [(Index 0, error: ${arity("sdiff")})]`, (c) => c.sdiff([])],
    ['cache intersect "text": redis error', (c) => c.sinter(["text"])],
    ['cache union "text": redis error', (c) => c.sunion(["text"])],
    [
      `cache store set diff "set": redis error: Pipeline failure: [(Index 0, error: ${arity("sdiffstore")})]`,
      (c) => c.sdiffstore("set", []),
    ],
    [
      `cache store set intersect "set": redis error: Transaction aborted: [(Index 0, error: ${arity("sinterstore")})]`,
      (c) => c.sinterstore("set", [], minuteMs),
    ],
    ['cache store set union "set": redis error', (c) => c.sunionstore("set", ["text"])],
    ['cache move "set": redis error', (c) => c.smove("set", "text", bytes("x"))],
  ])("X-23: %s", async (text, call) => {
    expect((await failure(call)).startsWith(text) || (await failure(call))).toBe(true);
  });

  it("looks at the source of a move first, and asks nobody to remove none (X-23)", async () => {
    await cache.set("kind", bytes("abc"));
    expect(await cache.lmove("none", "kind", "left", "left", minuteMs)).toBeNull();
    expect(await cache.smove("none", "kind", bytes("x"))).toBe(false);
    expect(await cache.lremFirst("kind", 0, bytes("x"))).toBe(0);
    expect(await cache.lremLast("kind", 0, bytes("x"))).toBe(0);
  });

  it("takes numbers as the native interface does: whole, of 32 bits, and exact as far as they go", async () => {
    await cache.set("n", bytes("abcdef"));
    expect(String(await cache.getRange("n", 1.9, 2 ** 32 + 2.5))).toBe("bc");
    expect(String(await cache.getRange("n", -9, -8))).toBe("a");
    expect(String(await cache.getRange("n", -2, -3))).toBe("");
    await cache.delete(["n"]);
    expect(await cache.incrBy("n", Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
    for (const text of ["007", "+3", " 1", "", "9223372036854775808"]) {
      await cache.set("n", bytes(text));
      await expect(cache.incrBy("n", 1)).rejects.toThrow("value is not an integer or out of range");
    }
  });

  it("gives both keys of a move the time to live (X-24)", async () => {
    await cache.rpush("from", ["a", "b"].map(bytes));
    await cache.lmove("from", "to", "left", "right", 0);
    await cache.sadd("s1", ["a", "b"].map(bytes));
    await cache.smove("s1", "s2", bytes("a"), 0);
    expect([
      await cache.llen("from"),
      await cache.llen("to"),
      await cache.scard("s1"),
      await cache.scard("s2"),
    ]).toEqual([0, 0, 0, 0]);
  });

  it("goes on after a command of a transaction that fails (X-24)", async () => {
    await cache.set("going", bytes("abc"));
    await expect(cache.lpush("going", [bytes("x")], 0)).rejects.toThrow("WRONGTYPE");
    expect(await cache.get("going")).toBeNull();
  });
});
