// Messages through random handler failures, killed consumers and cut connections: every one is handled at least
// once, and the dead letters are exactly the ones that always fail. GROUNDWORK_TEST_MESSAGES sets how many.
import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { Redis } from "ioredis";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { countMessages, listDeadLetters } from "../index";
import { database, makePubSub, subscription, until } from "./kit";

const messages = Number(process.env.GROUNDWORK_TEST_MESSAGES ?? 2000);
const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL;
const script = join(process.cwd(), "node_modules", ".cache", "groundwork-tests", "kill-consumer.mjs");
const folder = mkdtempSync(join(tmpdir(), "kills-"));
const CONSUMERS = 3;
let clone: ClonedDatabase;

beforeAll(async () => {
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
  await build({ entryPoints: [join(import.meta.dirname, "kill-consumer.ts")], bundle: true, platform: "node", format: "esm", packages: "external", outfile: script, logLevel: "error" });
}, 60_000);
afterAll(async () => {
  await clone.drop();
  rmSync(folder, { recursive: true });
});

/** Small and repeatable (mulberry32): the seed of a failing run is in its message. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function cutPostgres(): Promise<void> {
  const client = new Client({ connectionString: clone.url });
  await client.connect();
  await client.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
  await client.end();
}

async function cutRedis(): Promise<void> {
  const redis = new Redis(redisUrl ?? "");
  await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await redis.quit();
}

const transports: [string, { url?: string; redisUrl?: string }, () => Promise<void>][] = [["postgres", {}, cutPostgres]];
if (redisUrl) transports.push(["redis", { redisUrl }, cutRedis]);

describe.each(transports)("through kills, failures and cut connections on %s", (transport, where, cut) => {
  it(`handles each of ${messages} messages at least once and keeps exactly the poisonous ones as dead letters`, { timeout: 60_000 + messages * 20 }, async () => {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    const random = randomFrom(seed);
    const address = where.redisUrl ? where : { url: clone.url };
    const name = `kills-${transport}-${randomUUID()}`;
    const handledFile = join(folder, name);
    writeFileSync(handledFile, "");
    const start = (): ChildProcess => fork(script, [JSON.stringify({ subscription: name, handledFile, ...address })], { stdio: "inherit" });
    const consumers = Array.from({ length: CONSUMERS }, start);
    onTestFinished(() => consumers.forEach((consumer) => consumer.kill("SIGKILL")));

    const part = makePubSub({ subscriptions: [subscription(name)], ...address });
    let over = false;
    const chaos = (async () => {
      while (!over) {
        await new Promise((resolve) => setTimeout(resolve, 300 + random() * 900));
        const victim = Math.trunc(random() * CONSUMERS);
        if (random() < 0.3) await cut();
        else {
          consumers[victim]?.kill("SIGKILL");
          consumers[victim] = start();
        }
      }
    })();

    const topic = part.topic("orders");
    for (let n = 1; n <= messages; n += 50) {
      await Promise.all(Array.from({ length: Math.min(50, messages - n + 1) }, (_, offset) => topic.publish({ n: n + offset })));
    }
    const names = { topic: "orders", subscription: name };
    const isEmpty = async (): Promise<boolean> => {
      const counts = await countMessages(part.broker(), names).catch(() => undefined);
      return counts !== undefined && counts.waiting + counts.active + counts.delayed === 0;
    };
    setTimeout(() => (over = true), 10_000 + messages * 2);
    await until(isEmpty, 50_000 + messages * 20);
    over = true;
    await chaos;
    await until(isEmpty, 30_000);

    const handled = new Set(readFileSync(handledFile, "utf8").trim().split("\n").map(Number));
    const letters = (await listDeadLetters(part.broker(), names, { limit: messages })).map((letter) => (letter.body as { n: number }).n);
    const all = Array.from({ length: messages }, (_, index) => index + 1);
    const missing = all.filter((n) => n % 50 !== 0 && !handled.has(n));
    expect(missing, `seed ${seed}`).toEqual([]);
    expect(letters.sort((a, b) => a - b), `seed ${seed}`).toEqual(all.filter((n) => n % 50 === 0));
    await part.close();
  });
});
