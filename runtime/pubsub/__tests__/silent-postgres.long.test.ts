// Connections to Postgres on which nothing passes any more, as a firewall leaves them that has forgotten them: they never
// fail. Topics go on over new ones, and whoever waits on the old ones learns it.
import { join } from "node:path";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { PostgresLedger } from "../../cron/postgres-ledger";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { Announcements } from "../announcements";
import { PostgresBroker } from "../postgres-broker";
import { createBrokerPool } from "../postgres-pool";
import { Wakeups } from "../wakeups";
import { database, impatient, until } from "./kit";

/** Longer than a busy machine lets a statement wait: a connection dropped while it works would be another test. */
const SILENCE_MS = 1_500;
const timings = { ...impatient, silenceMs: SILENCE_MS };

vi.setConfig({ testTimeout: 60_000 });

let clone: ClonedDatabase;
let server: Server;
let url: string;
const sockets = new Set<Socket>();
/** Sockets that were open when the line went dead. */
const dead = new Set<Socket>();
/** A connection goes dead when it asks for this; once. */
let lastWords: string | undefined;
/** How often a connection asked to listen. */
let listens = 0;

const isSilencedBy = (bytes: Buffer): boolean => {
  if (lastWords === undefined || !bytes.includes(lastWords)) return false;
  lastWords = undefined;
  return true;
};

beforeAll(async () => {
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
  const target = new URL(clone.url);
  // A line that is dead does not carry the word that its other end has gone, either.
  server = createServer({ allowHalfOpen: true }, (socket) => {
    const folder = target.searchParams.get("host");
    const port = Number(target.port || "5432");
    const back = folder ? connect(join(folder, `.s.PGSQL.${port}`)) : connect(port, target.hostname);
    for (const side of [socket, back]) sockets.add(side.on("error", () => undefined));
    socket.on("data", (bytes) => {
      if (bytes.includes("listen bullmq_jobs")) listens++;
      if (isSilencedBy(bytes)) dead.add(socket);
      if (!dead.has(socket)) back.write(bytes);
    });
    socket.on("end", () => dead.has(socket) || back.end()).on("close", () => back.destroy());
    back.on("data", (bytes) => dead.has(socket) || socket.write(bytes)).on("close", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  url = Object.assign(new URL(clone.url), { host: `127.0.0.1:${port}`, search: "?sslmode=disable" }).href;
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await clone.drop();
});

/** From now on nothing passes on the connections that are open. */
const cutSilently = (): void => {
  for (const socket of sockets) dead.add(socket);
};

const message = (n: number): { id: string; body: string; publishedAt: number } => ({
  id: `m${n}`,
  body: JSON.stringify({ n }),
  publishedAt: 0,
});

test("messages are added and delivered over new connections", async () => {
  const broker = new PostgresBroker(url, 5, timings);
  const got: string[] = [];
  const consumer = await broker.consume("silent", async ({ data }) => void got.push(data.id), {
    concurrency: 2,
    backoffMs: () => 10,
    lostDeliveriesMax: 3,
    ordered: false,
    onError: () => undefined,
  });
  await broker.add(["silent"], message(1));
  await until(() => got.length === 1);
  for (let n = 2; n < 4; n++) {
    cutSilently();
    // Whoever adds meanwhile is told, and tries again: the relay does.
    const added = async (): Promise<boolean> =>
      broker.add(["silent"], message(n)).then(
        () => true,
        () => false,
      );
    await until(added, 10 * SILENCE_MS);
    await until(() => got.includes(`m${n}`), 10 * SILENCE_MS);
  }
  await consumer.close();
  await broker.close();
});

test("a new connection that goes silent before it is ready is given up, and nobody waits for it", async () => {
  lastWords = "search_path";
  const broker = new PostgresBroker(url, 5, timings);
  await broker.add(["unready"], message(1));
  expect(lastWords, "a connection was asked for its search path").toBeUndefined();
  await broker.close();
});

test("closing does not wait for a listener whose line is dead", async () => {
  const pool = createBrokerPool(clone.url, 1, SILENCE_MS);
  const announcements = new Announcements(pool, url, new Wakeups(), timings);
  await announcements.start();
  cutSilently();
  await announcements.close();
  await pool.end();
});

test("a listener whose first connection failed is tried again", async () => {
  const pool = createBrokerPool(clone.url, 1, SILENCE_MS);
  const announcements = new Announcements(pool, url, new Wakeups(), timings);
  const before = listens;
  lastWords = "listen bullmq_jobs";
  await announcements.start();
  expect(lastWords, "the first connection asked to listen, and went dead").toBeUndefined();
  await until(() => listens - before >= 2, 10 * SILENCE_MS);
  await announcements.close();
  await pool.end();
});

test("a consumer that waits hears of another process's message again", async () => {
  const [here, there] = [url, clone.url].map((address) => new PostgresBroker(address, 5, timings));
  const got: string[] = [];
  const consumer = await here?.consume("heard", async ({ data }) => void got.push(data.id), {
    concurrency: 1,
    backoffMs: () => 10,
    lostDeliveriesMax: 3,
    ordered: false,
    onError: () => undefined,
  });
  await there?.add(["heard"], message(1));
  await until(() => got.length === 1);
  cutSilently();
  await there?.add(["heard"], message(2));
  await until(() => got.length === 2, 20 * SILENCE_MS);
  await consumer?.close();
  await Promise.all([here?.close(), there?.close()]);
});

test("ticks are claimed over new connections", async () => {
  const ledger = new PostgresLedger(url, "me", 1_000, SILENCE_MS);
  await ledger.start();
  expect(await ledger.claim({ job: "silent", at: 1 })).toBe("won");
  cutSilently();
  const claimed = async (): Promise<boolean> =>
    ledger.claim({ job: "silent", at: 2 }).then(
      () => true,
      () => false,
    );
  await until(claimed, 10 * SILENCE_MS);
  await ledger.close();
});
