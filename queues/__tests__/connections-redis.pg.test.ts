import { afterAll, expect, test, vi } from "vitest";
import { Redis } from "ioredis";
import { runJobTypes } from "./connections-contract";

await vi.hoisted(async () => {
  const { Redis: Client } = await import("ioredis");
  const url = new URL(process.env.GROUNDWORK_TEST_REDIS_URL ?? "");
  url.pathname = "/10";
  process.env.REDIS_URL = url.href;
  const redis = new Client(url.href);
  await redis.flushdb();
  await redis.quit();
});

const looking = new Redis(process.env.REDIS_URL ?? "", { connectionName: "looking" });
afterAll(() => looking.quit());

/** Of this suite's database, without the one that looks, and those of other rooms, which are there from the start. */
const connections = async (): Promise<number> =>
  String(await looking.call("CLIENT", "LIST"))
    .split("\n")
    .filter((line) => / db=10 /.test(line) && !line.includes("name=looking")).length;

test("a process with sixty job types holds the same three connections to Redis as one with three", async () => {
  const before = await connections();
  await runJobTypes(3);
  expect((await connections()) - before).toBe(3);
  await runJobTypes(57);
  expect((await connections()) - before).toBe(3);
});
