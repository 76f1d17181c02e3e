// A Redis that accepts connections and never answers, as one does that is stopped or behind a broken network.
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RedisStorage } from "../redis-storage";

const LIMIT_MS = 200;
const sockets = new Set<Socket>();
let server: Server;
let url: string;
let storage: RedisStorage;

/** How long until `work` was refused. */
async function refusedAfterMs(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await expect(work).rejects.toThrow("Redis does not answer within 200 ms");
  return performance.now() - startedAt;
}

beforeAll(async () => {
  server = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  storage = new RedisStorage(url, { prefix: "test", limitMs: LIMIT_MS });
});

afterAll(async () => {
  storage.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

describe("a Redis that never answers", () => {
  it("refuses to open a queue and a worker in a bounded time, again and again", async () => {
    for (let n = 0; n < 3; n++) {
      expect(await refusedAfterMs(storage.openQueue("test.silent", {}))).toBeLessThan(50 * LIMIT_MS);
      expect(await refusedAfterMs(storage.openWorker("test.silent", async () => undefined, {}))).toBeLessThan(
        50 * LIMIT_MS,
      );
    }
  });
});

describe("a Redis that is gone", () => {
  it("refuses them as soon", async () => {
    const gone = new RedisStorage("redis://127.0.0.1:1", { prefix: "test", limitMs: LIMIT_MS });
    try {
      expect(await refusedAfterMs(gone.openQueue("test.gone", {}))).toBeLessThan(50 * LIMIT_MS);
    } finally {
      gone.close();
    }
  });
});
