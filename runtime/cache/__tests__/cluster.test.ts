// One suite for every store behind a cache cluster: in process always, Redis where
// GROUNDWORK_TEST_REDIS_URL names one.
import { Redis } from "ioredis";
import { afterAll, describe, expect, it } from "vitest";
import { overgrowth } from "../../../scripts/testing/growth";
import { CacheCluster } from "../cluster";
import { MemoryStore } from "../memory";
import { RedisStore } from "../redis-store";
import type { Store } from "../store";

const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL;
const stores: [string, () => Store][] = [["in process", () => new MemoryStore()]];
if (redisUrl) stores.push(["on Redis", () => new RedisStore(new Redis(redisUrl, { stringNumbers: true }))]);

const bytes = (text: string): Buffer => Buffer.from(text);
const texts = (list: (Buffer | null)[]): (string | null)[] => list.map((value) => value && value.toString());
const sorted = (list: Buffer[]): string[] => list.map(String).sort();
const KEEP = -1;
const PERSIST = -2;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(stores)("a cache %s", (_, open) => {
  const store = open();
  const cache = new CacheCluster(store, `test-${process.pid}-${Math.random()}/`);
  afterAll(() => store.close());

  it("misses with null and keeps bytes exactly", async () => {
    expect(await cache.get("none")).toBeNull();
    const raw = Buffer.from([0, 255, 128, 10]);
    await cache.set("raw", raw);
    expect(await cache.get("raw")).toEqual(raw);
    expect(texts(await cache.mget(["raw2", "none"]))).toEqual([null, null]);
  });

  it("sets only if absent, replaces only if present, and gives the old value back", async () => {
    expect(await cache.replace("c", bytes("x"))).toBe(false);
    expect(await cache.setIfNotExists("c", bytes("x"))).toBe(true);
    expect(await cache.setIfNotExists("c", bytes("y"))).toBe(false);
    expect(await cache.replace("c", bytes("z"))).toBe(true);
    expect(String(await cache.getAndSet("c", bytes("w")))).toBe("z");
    expect(String(await cache.getAndDelete("c"))).toBe("w");
    expect(await cache.getAndSet("c", bytes("n"))).toBeNull();
    expect(await cache.delete(["c", "none"])).toBe(1);
  });

  it("edits texts in place", async () => {
    expect(await cache.append("e", bytes("ab"))).toBe(2);
    expect(await cache.append("e", bytes("cd"))).toBe(4);
    expect(String(await cache.getRange("e", -2, -1))).toBe("cd");
    expect(String(await cache.getRange("none", 0, 5))).toBe("");
    expect(await cache.setRange("e", 6, bytes("!"))).toBe(7);
    expect(await cache.get("e")).toEqual(bytes("abcd\0\0!"));
    expect(await cache.strlen("none")).toBe(0);
  });

  it("counts exactly, and refuses what is no number", async () => {
    expect(await cache.incrBy("i", 5)).toBe(5);
    expect(await cache.decrBy("i", 7)).toBe(-2);
    await cache.set("i", bytes("9007199254740993"));
    await cache.incrBy("i", 1);
    expect(String(await cache.get("i"))).toBe("9007199254740994");
    expect(await cache.incrByFloat("f", 0.1)).toBe(0.1);
    expect(await cache.incrByFloat("f", 0.2)).toBe(0.3);
    await cache.set("i", bytes("NaN"));
    await expect(cache.incrBy("i", 1)).rejects.toMatchObject({
      name: "Error",
      code: "GenericFailure",
      message: expect.stringContaining("value is not an integer or out of range") as string,
    });
  });

  it("keeps lists in order from both ends", async () => {
    expect(await cache.rpush("l", ["b", "c"].map(bytes))).toBe(2);
    expect(await cache.lpush("l", ["a", "z"].map(bytes))).toBe(4);
    expect(texts(await cache.lrangeAll("l"))).toEqual(["z", "a", "b", "c"]);
    expect(texts(await cache.lrange("l", -2, 10))).toEqual(["b", "c"]);
    expect(String(await cache.lindex("l", -1))).toBe("c");
    expect(await cache.linsertBefore("l", bytes("b"), bytes("x"))).toBe(5);
    await expect(cache.linsertAfter("l", bytes("nope"), bytes("x"))).rejects.toThrow(
      /^cache insert after "test-[^"]+\/l": cache miss$/,
    );
    expect(await cache.linsertAfter("none", bytes("nope"), bytes("x"))).toBe(0);
    await cache.lset("l", 0, bytes("y"));
    await cache.ltrim("l", 0, 2);
    expect(texts(await cache.lrangeAll("l"))).toEqual(["y", "a", "x"]);
    expect(String(await cache.lpop("l"))).toBe("y");
    expect(String(await cache.rpop("l"))).toBe("x");
    expect(String(await cache.lmove("l", "l2", "left", "right"))).toBe("a");
    expect(await cache.llen("l")).toBe(0);
    expect(await cache.lpop("l")).toBeNull();
    await expect(cache.lset("l", 0, bytes("x"))).rejects.toThrow("no such key");
  });

  it("removes equal list elements from the end that is asked for", async () => {
    await cache.rpush("r", ["a", "b", "a", "c", "a"].map(bytes));
    expect(await cache.lremFirst("r", 1, bytes("a"))).toBe(1);
    expect(await cache.lremLast("r", 1, bytes("a"))).toBe(1);
    expect(texts(await cache.lrangeAll("r"))).toEqual(["b", "a", "c"]);
    expect(await cache.lremAll("r", bytes("a"))).toBe(1);
  });

  it("does set algebra and stores its results", async () => {
    expect(await cache.sadd("p", ["1", "2", "3", "3"].map(bytes))).toBe(3);
    await cache.sadd("q", ["2", "3", "4"].map(bytes));
    expect(sorted(await cache.sdiff(["p", "q"]))).toEqual(["1"]);
    expect(sorted(await cache.sinter(["p", "q"]))).toEqual(["2", "3"]);
    expect(sorted(await cache.sunion(["p", "q", "none"]))).toEqual(["1", "2", "3", "4"]);
    expect(await cache.sunionstore("d", ["p", "q"])).toBe(4);
    expect(await cache.sinterstore("d", ["p", "none"])).toBe(0);
    expect(await cache.scard("d")).toBe(0);
    expect(await cache.sdiffstore("d", ["p", "q"])).toBe(1);
    expect(await cache.smove("p", "q", bytes("1"))).toBe(true);
    expect(await cache.smove("p", "q", bytes("nope"))).toBe(false);
    expect(sorted(await cache.smembers("q"))).toEqual(["1", "2", "3", "4"]);
    expect(await cache.sismember("q", bytes("1"))).toBe(true);
    expect(await cache.srem("q", ["1", "9"].map(bytes))).toBe(1);
  });

  it("samples without removing and pops with, each member once", async () => {
    const all = ["a", "b", "c"];
    await cache.sadd("s", all.map(bytes));
    expect(sorted(await cache.srandmemberN("s", 10))).toEqual(all);
    expect(await cache.srandmemberN("s", -7)).toHaveLength(7);
    expect(all).toContain(String(await cache.srandmember("s")));
    const popped = [String(await cache.spop("s")), ...sorted(await cache.spopN("s", 5))];
    expect(popped.sort()).toEqual(all);
    expect(await cache.spop("s")).toBeNull();
    expect(await cache.srandmember("s")).toBeNull();
  });

  it("ends a value's life when it is told, forgets that on overwriting, and keeps it on request", async () => {
    // Longer than a machine that is busy with something else needs for what is asked meanwhile.
    const LIFE_MS = 600;
    await cache.set("t1", bytes("x"), LIFE_MS);
    await cache.set("t2", bytes("x"), LIFE_MS);
    await cache.set("t2", bytes("y"));
    await cache.set("t3", bytes("x"), LIFE_MS);
    await cache.set("t3", bytes("y"), KEEP);
    await cache.incrBy("t4", 1, LIFE_MS);
    await cache.incrBy("t4", 1);
    await cache.sadd("t5", [bytes("m")], LIFE_MS);
    await cache.sadd("t5", [bytes("n")], PERSIST);
    await cache.mset(["t6", "t7"], ["a", "b"].map(bytes), LIFE_MS);
    await wait(LIFE_MS + 100);
    expect(texts(await cache.mget(["t1", "t2", "t3", "t4", "t6", "t7"]))).toEqual([null, "y", null, null, null, null]);
    expect(await cache.scard("t5")).toBe(2);
    await expect(cache.set("t1", bytes("x"), 0)).rejects.toThrow("invalid expire time");
  });

  it("refuses commands on values of another kind, and calls without keys", async () => {
    await cache.set("k", bytes("x"));
    await expect(cache.llen("k")).rejects.toThrow(
      /^cache list len "test-[^"]+\/k": redis error: Pipeline failure: \[\(Index 0, error: "WRONGTYPE": Operation against/,
    );
    await expect(cache.delete([])).rejects.toThrow("wrong number of arguments for 'del' command");
    await cache.mset([], []);
  });
});

describe("the cache in process", () => {
  it("lets the keys go that were unused for longest when there are too many", async () => {
    const cache = new CacheCluster(new MemoryStore(Date.now, 2), "");
    await cache.set("a", bytes("1"));
    await cache.set("b", bytes("2"));
    await cache.get("a");
    await cache.set("c", bytes("3"));
    expect(texts(await cache.mget(["a", "b", "c"]))).toEqual(["1", null, "3"]);
  });

  it("takes for one member more of a large set what it takes for one of a small one, and so for a sample", async () => {
    const manyMembers = (count: number): Buffer[] => Array.from({ length: count }, (_, n) => bytes(`m${n}`));
    const oneByOne = async (members: Buffer[]): Promise<void> => {
      const cache = new CacheCluster(new MemoryStore(), "");
      for (const member of members) await cache.sadd("s", [member]);
      for (const member of members) await cache.smove("s", "t", member);
      expect(await cache.srandmemberN("t", -members.length)).toHaveLength(members.length);
      for (const member of members) await cache.srem("t", [member]);
    };
    expect(await overgrowth(20_000, manyMembers, oneByOne)).toBeUndefined();
  });

  it("lets go of the loop after a while, and with what is large", async () => {
    const cache = new CacheCluster(new MemoryStore(), "");
    let hasTurned = false;
    const turn = (): void => void setImmediate(() => (hasTurned = true));
    turn();
    for (let n = 0; n < 1_000_000 && !hasTurned; n++) await cache.incrBy("n", 1);
    expect(hasTurned).toBe(true);
    for (const act of [
      () => cache.set("a", Buffer.alloc(200_000)),
      () => cache.get("a"),
      () => cache.rpush("l", Array<Buffer>(20_000).fill(bytes("x"))),
      () => cache.lrangeAll("l"),
    ]) {
      hasTurned = false;
      turn();
      await act();
      expect(hasTurned, String(act)).toBe(true);
    }
  });
});
