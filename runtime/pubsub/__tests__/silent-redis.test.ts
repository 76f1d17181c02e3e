// A Redis that accepts connections and never answers: whoever publishes or claims a tick is told so in a bounded time, and
// nothing piles up behind it.
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RedisLedger } from "../../cron/redis-ledger";
import { isBrokerAway } from "../../broker-errors";
import { defaultTimings } from "../broker";
import { RedisBroker } from "../redis-broker";

const sockets = new Set<Socket>();
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function refusal(work: Promise<unknown>): Promise<unknown> {
  const startedAt = performance.now();
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  return error;
}

test("publishing fails as it does where the broker is away, and is tried again by whoever published", async () => {
  const broker = new RedisBroker(url, "silent", defaultTimings, 200);
  const message = { id: "m1", body: "{}", publishedAt: 0 };
  for (let n = 0; n < 3; n++) expect(await refusal(broker.add(["silent"], message))).toSatisfy(isBrokerAway);
  await broker.close();
});

test("a tick cannot be claimed, and its claimer knows", async () => {
  const ledger = new RedisLedger(url, "silent", "me", 1_000, 200);
  expect(String(await refusal(ledger.claim({ job: "job", at: 0 })))).toContain("timed out");
  await ledger.close();
});
