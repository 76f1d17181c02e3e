// The same on Redis, through a door that can be frozen: a Redis that stops answering must stop nobody but those who wait
// for its jobs, and lose nothing.
import type { AddressInfo, Socket } from "node:net";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { Redis } from "ioredis";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { enqueue } from "../enqueue";
import { makeQueue } from "../factory";
import { steady } from "./jobs-contract";

const door = await vi.hoisted(async () => {
  const net = await import("node:net");
  const target = new URL(process.env.GROUNDWORK_TEST_REDIS_URL ?? "");
  target.pathname = "/7";
  const pairs = new Set<[Socket, Socket]>();
  let isFrozen = false;
  const server = net.createServer((near) => {
    const far = net.createConnection(Number(target.port), target.hostname);
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on("data", (chunk) => void to.write(chunk));
      from.on("close", () => void to.destroy());
      from.on("error", () => undefined);
      if (isFrozen) from.pause();
    }
    near.on("close", () => void pairs.delete(pair));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  process.env.REDIS_URL = `redis://127.0.0.1:${(server.address() as AddressInfo).port}/7`;
  const each = (act: (socket: Socket) => void): void => pairs.forEach((pair) => pair.forEach(act));
  return {
    target: target.href,
    freeze: () => {
      isFrozen = true;
      each((socket) => void socket.pause());
    },
    thaw: () => {
      isFrozen = false;
      each((socket) => void socket.resume());
    },
    close: () => {
      each((socket) => void socket.destroy());
      server.close();
    },
  };
});

await vi.hoisted(async () => {
  const { Redis: Client } = await import("ioredis");
  const url = new URL(process.env.GROUNDWORK_TEST_REDIS_URL ?? "");
  url.pathname = "/7";
  const redis = new Client(url.href);
  await redis.flushdb();
  await redis.quit();
});

const tenantId = tenantIdFrom(newId());
const pendingOf = async (id: string): Promise<number> =>
  (await systemQuery("test", "select 1 from events.outbox where id = $1 and published_at is null", [id])).length;

afterEach(() => door.thaw());
afterAll(() => door.close());

describe("jobs on Redis", () => {
  it("are on Redis", async () => {
    const redis = new Redis(door.target);
    expect((await redis.keys("groundwork-jobs*:test.steady:*")).length).toBeGreaterThan(0);
    await redis.quit();
  });

  it("whose Redis stops answering fail to be handed over in a bounded time, stay in the outbox, and run when it is back", async () => {
    const queue = await makeQueue(steady.name);
    door.freeze();
    const startedAt = performance.now();
    await expect(queue.getJobCounts("waiting")).rejects.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(12_000);
    const id = await withTenant({ tenantId }, (tx) => enqueue(tx, steady, { n: 77 }));
    expect(await pendingOf(id)).toBe(1);
    door.thaw();
    await expect.poll(() => pendingOf(id)).toBe(0);
    await expect
      .poll(async () => (await queue.getJobs(["completed"], 0, 100, false)).map((job) => job.id))
      .toContain(id);
  });
});
