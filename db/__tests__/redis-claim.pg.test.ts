// Two installations on one Redis would take each other's jobs, events and crons: the second is refused.
import { Redis } from "ioredis";
import { afterAll, beforeEach, expect, test } from "vitest";
import { claimKeyOf, claimRedis } from "../redis-claim";
import { refuseUnsafe } from "../start";
import { INSTALLATION } from "../store";
import { systemQuery } from "../tenant";

const url = new URL(process.env.GROUNDWORK_TEST_REDIS_URL ?? "");
url.pathname = "/9";
const redis = new Redis(url.href);
const appId = `shop-${process.pid}`;
const claim = (installation: string, of = appId): Promise<void> =>
  claimRedis({ url: url.href, appId: of, installation });

beforeEach(() => redis.del(claimKeyOf(appId), claimKeyOf(`${appId}-2`)));
afterAll(async () => {
  await redis.del(claimKeyOf(appId), claimKeyOf(`${appId}-2`));
  redis.disconnect();
});

test("the first installation has it, its other processes too, and a second one is told what to do", async () => {
  await claim("a");
  await claim("a");
  const key = claimKeyOf(appId);
  await expect(claim("b")).rejects.toMatchObject({
    kind: "misuse",
    message: expect.stringMatching(
      new RegExp(
        `^database 9 of the Redis in REDIS_URL belongs to another installation of ${appId}, .*redis-cli -n 9 DEL ${key}$`,
      ),
    ) as string,
  });
  await redis.del(key);
  await claim("b");
  await expect(claim("a")).rejects.toMatchObject({ kind: "misuse" });
});

test("of many that start at once one has it", async () => {
  const claims = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => claim(String(i))));
  expect(claims.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("another app, and another database number, are claimed apart", async () => {
  await claim("a");
  await claim("b", `${appId}-2`);
  const other = new URL(url);
  other.pathname = "/10";
  await claimRedis({ url: other.href, appId, installation: "b" });
  const there = new Redis(other.href);
  expect(await there.getdel(claimKeyOf(appId))).toBe("b");
  there.disconnect();
});

test("production ends where the Redis is another's; a Redis that is away is asked again", async () => {
  await claim("a");
  const ended: number[] = [];
  const asked: string[] = [];
  const ask = async (): Promise<void> => {
    asked.push("");
    if (asked.length === 1) await claimRedis({ url: "redis://127.0.0.1:1", appId, installation: "b" });
    await claim("b");
  };
  expect(await refuseUnsafe((code) => ended.push(code), ask, true)).toBe(false);
  expect([asked.length, ended]).toEqual([2, [1]]);
});

test("a database tells which installation it is of, always the same", async () => {
  const ask = (): Promise<unknown> => systemQuery("whose-redis-it-is", INSTALLATION);
  const first = await ask();
  expect(first).toEqual([{ installation: expect.stringMatching(/^[0-9a-f]{64}$/) as string }]);
  expect(await ask()).toEqual(first);
});
