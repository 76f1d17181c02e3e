// What the queue factory costs and how fair a queue is: `npm run bench:queues -- [postgresql://…] [redis://…] [--backlog N]`.
// Without addresses on the embedded database; with one on a database of its own, made and dropped, of that server (a
// superuser's address); with a Redis a second time with the jobs there (its database is emptied).
//
//   factory   jobs through makeQueue and makeWorker beside BullMQ by itself, same backend, same process, in turns
//   wait      of another tenant's job, from before the transaction that enqueues it to its handler: in a quiet queue, and
//             while one tenant has N jobs (100,000) in the outbox, in the queue, and in the queue with each taking 200 ms
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import pg from "pg";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";
import { served, spawnApp, type AppProcess } from "../app-process";

const JOBS = 2_000;
const ROUNDS = 5;
const SLOW_MS = 200;
const PROBES = 100;
const EVERY_MS = 40;
const SLICE_LIMIT_MS = 180_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const rank = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN;

async function compareFactory(app: AppProcess): Promise<void> {
  const rates: Record<string, number[]> = { raw: [], factory: [] };
  for (let round = 0; round <= ROUNDS; round++)
    for (const [way, found] of Object.entries(rates)) {
      const { perSecond } = await app.post("/load/throughput", { way, count: JOBS });
      if (round > 0) found.push(Number(perSecond));
    }
  const [raw, factory] = [rank(rates.raw ?? [], 0.5), rank(rates.factory ?? [], 0.5)];
  say(`  BullMQ by itself ${Math.round(raw)} jobs/s, the factory ${Math.round(factory)} jobs/s`);
  say(`  factory: ${(factory / raw).toFixed(2)} of BullMQ by itself (goal 0.95)`);
}

async function probe(app: AppProcess, what: string, quietP95 = Number.NaN): Promise<number> {
  const before = await app.post("/load/counts", {});
  const { waitedMs } = (await app.post("/load/probe", { count: PROBES, everyMs: EVERY_MS })) as { waitedMs: number[] };
  const after = await app.post("/load/counts", {});
  const [p50, p95] = [rank(waitedMs, 0.5), rank(waitedMs, 0.95)];
  const missing = waitedMs.length < PROBES ? `, ${PROBES - waitedMs.length} of ${PROBES} NEVER RAN` : "";
  const left = `outbox ${String(before.pending)} → ${String(after.pending)}, queue ${String(before.waiting)} → ${String(after.waiting)}`;
  const ratio = Number.isNaN(quietP95) ? "" : `: ${(p95 / quietP95).toFixed(2)} of quiet (goal 2)`;
  say(`  ${what.padEnd(34)} p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms${ratio} (${left}${missing})`);
  return p95;
}

/** Until the relay has handed everything over. */
async function handedOver(app: AppProcess): Promise<void> {
  for (const until = performance.now() + SLICE_LIMIT_MS; performance.now() < until;)
    if (Number((await app.post("/load/counts", {})).pending) === 0) return;
    else await new Promise((resolve) => setTimeout(resolve, 500));
}

async function compareWaits(app: AppProcess, backlog: number): Promise<void> {
  await probe(app, "warming up");
  const quiet = await probe(app, "quiet");
  await app.post("/load/backlog", { count: backlog, ms: 0 });
  await app.post("/load/resume", {});
  await probe(app, "while the outbox holds them", quiet);
  const startedAt = performance.now();
  await handedOver(app);
  say(`  the relay had handed them over after ${((performance.now() - startedAt) / 1000).toFixed(0)} s more`);
  await app.post("/load/backlog", { count: backlog, ms: SLOW_MS });
  await handedOver(app);
  await app.post("/load/resume", {});
  await probe(app, `behind ${backlog} jobs of ${SLOW_MS} ms each`, quiet);
}

async function runOn(title: string, env: NodeJS.ProcessEnv, backlog: number): Promise<void> {
  say(title);
  const folder = copyOfApp();
  cpSync(join(root, "bench/queues/__tests__/fixtures/load"), folder, { recursive: true });
  const app = await served(spawnApp(folder, [], env));
  try {
    await compareFactory(app);
    if (backlog > 0) await compareWaits(app, backlog);
  } finally {
    await app.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs `use` with the address of a scratch database. */
async function inDatabase(server: string | undefined, use: (env: NodeJS.ProcessEnv) => Promise<void>): Promise<void> {
  if (server === undefined) return use({});
  const name = `bench_queues_${process.pid}`;
  const owner = new pg.Client({ connectionString: server });
  await owner.connect();
  await owner.query(`create database ${name}`);
  try {
    await use({ DATABASE_URL: Object.assign(new URL(server), { pathname: `/${name}` }).href });
  } finally {
    await owner.query(`drop database ${name} with (force)`);
    await owner.end();
  }
}

const args = process.argv.slice(2);
const at = args.indexOf("--backlog");
const backlog = at < 0 ? 100_000 : Number(args.splice(at, 2)[1]);
const server = args.find((arg) => arg.startsWith("postgres"));
const redisUrl = args.find((arg) => arg.startsWith("redis"));
await inDatabase(server, (env) => runOn(`jobs on Postgres${server ? "" : ", embedded"}`, env, backlog));
if (redisUrl !== undefined) {
  const redis = new Redis(redisUrl);
  await redis.flushdb();
  await redis.quit();
  await inDatabase(server, (env) => runOn("jobs on Redis", { ...env, REDIS_URL: redisUrl }, backlog));
}
process.exit();
