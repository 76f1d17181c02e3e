// From the commit of an event to the commit of its effect: `npm run bench:events -- postgresql://…`, a superuser's address
// of native Postgres, where it makes and drops databases of its own. Processes of the app that emit, and that relay and
// consume, on the same machine; beside them bare commits, graphile-worker and DBOS doing the same work in the same run.
//   --only PART,PART   some of: commits, cost, one, two, rates, rivals
//   --profile FOLDER   CPU profiles of the app's processes
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import { CostMeter, costText } from "./cost";
import { makeCopy, runRival, startApp, type App } from "./processes";
import { figuresOf, nowMs, type Figures } from "./waits";

const PARTS = ["commits", "cost", "one", "two", "rates", "rivals"] as const;
type Part = (typeof PARTS)[number];
const LANES = 32;
const COMMIT_MS = 3_000;
const RATES = [500, 1_000];
const RATE_SECONDS = 5;
const RIVAL_RATE = 500;
const TENANTS = 10;
const AGGREGATES = 200;
/** Until every process knows every other one's consumers. */
const KNOWN_MS = 12_000;
const QUIET_LIMIT_MS = 120_000;
const RIVALS = ["graphile-worker", "graphile-worker, local queue and batched completion", "dbos"];

const tenants = Array.from({ length: TENANTS }, (_, n) => `00000000-0000-7000-8000-${String(n + 1).padStart(12, "0")}`);

const say = (what: string, { perSecond, p50Ms, p95Ms, p99Ms }: Figures, ratio = ""): void => {
  const waits = [p50Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(0)).join(" / ");
  console.log(`${what.padEnd(56)} ${perSecond.toFixed(0).padStart(6)}/s   p50 / p95 / p99 ${waits} ms ${ratio}`);
};

/** What an event costs to emit while the worker stands still, and then to relay and consume. */
async function measureCost(url: string, emitter: App, worker: App, count: number): Promise<void> {
  const meter = await CostMeter.open(url);
  const emit = (): Promise<unknown> =>
    emitter.post("/emitter/emit", { tenants, count, lanes: LANES, perSecond: 0, aggregates: AGGREGATES });
  const consume = async (): Promise<void> => {
    for (let done = 0; done < count; await delay(50)) {
      const { waitsMs } = (await worker.post("/load/figures", {})) as { waitsMs: Record<string, number[]> };
      done += Object.values(waitsMs).flat().length;
    }
  };
  try {
    process.kill(worker.pid, "SIGSTOP");
    const emitting = await meter.during({ emitter: emitter.pid }, count, emit);
    console.log(`emitting: ${costText(emitting)}`);
    process.kill(worker.pid, "SIGCONT");
    const consuming = await meter.during({ worker: worker.pid }, count, consume);
    console.log(`relaying and consuming: ${costText(consuming)}`);
  } finally {
    await meter.close();
  }
}

/** Small inserts, each its own transaction, as fast as LANES connections of one process make them. */
async function bareCommits(url: string): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: LANES });
  // Dropping the database ends what has not closed yet.
  pool.on("error", () => undefined).on("connect", (client) => client.on("error", () => undefined));
  await pool.query("create table if not exists public.bare (id uuid primary key)");
  const endsAt = performance.now() + COMMIT_MS;
  let commits = 0;
  const lane = async (): Promise<void> => {
    const client = await pool.connect();
    while (performance.now() < endsAt) {
      await client.query({ name: "bare", text: "insert into public.bare values ($1)", values: [crypto.randomUUID()] });
      commits++;
    }
    client.release();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await pool.end();
  return commits / (COMMIT_MS / 1000);
}

/** Emits `count` events and waits until each has had its effect. */
async function pipeline(emitter: App, workers: readonly App[], count: number, perSecond: number): Promise<Figures> {
  const take = async (): Promise<number[]> => {
    const answers = await Promise.all(workers.map((worker) => worker.post("/load/figures", {})));
    return answers.flatMap((answer) => Object.values((answer as { waitsMs: Record<string, number[]> }).waitsMs).flat());
  };
  await take();
  const startedAtMs = nowMs();
  const emitted = emitter.post("/emitter/emit", { tenants, count, lanes: LANES, perSecond, aggregates: AGGREGATES });
  const waitsMs: number[] = [];
  let seenAtMs = nowMs();
  while (waitsMs.length < count) {
    await delay(50);
    const more = await take();
    if (more.length > 0) seenAtMs = nowMs();
    if (nowMs() - seenAtMs > QUIET_LIMIT_MS) throw new Error(`${count - waitsMs.length} events never had their effect`);
    waitsMs.push(...more);
  }
  const seconds = (nowMs() - startedAtMs) / 1000;
  const { seconds: emitSeconds } = (await emitted) as { seconds: number };
  if (perSecond === 0) console.log(`  emitted ${(count / emitSeconds).toFixed(0)}/s`);
  return figuresOf(waitsMs, seconds);
}

async function inDatabase<T>(url: string, fn: (url: string) => Promise<T>): Promise<T> {
  const owner = new pg.Client({ connectionString: url });
  await owner.connect();
  const name = `bench_events_${process.pid}`;
  await owner.query(`drop database if exists ${name} with (force)`);
  await owner.query(`create database ${name}`);
  try {
    return await fn(Object.assign(new URL(url), { pathname: `/${name}` }).href);
  } finally {
    await owner.query(`drop database ${name} with (force)`);
    await owner.end();
  }
}

async function measureApp(url: string, asked: ReadonlySet<Part>, count: number, profile?: string): Promise<void> {
  const copy = makeCopy();
  const running: App[] = [];
  const start = async (services?: string[]): Promise<App> => {
    const app = await startApp(copy.folder, url, { ...(services ? { services } : {}), profile });
    running.push(app);
    return app;
  };
  try {
    const first = await start();
    const emitter = await start(["emitter"]);
    await delay(KNOWN_MS);
    await pipeline(emitter, [first], 2_000, 0);
    if (asked.has("cost")) await measureCost(url, emitter, first, count);
    const one = asked.has("one") ? await pipeline(emitter, [first], count, 0) : undefined;
    if (one) say("one process relays and consumes", one);
    for (const rate of asked.has("rates") ? RATES : [])
      say(`at ${rate}/s`, await pipeline(emitter, [first], rate * RATE_SECONDS, rate));
    if (asked.has("two")) {
      const second = await start();
      await delay(KNOWN_MS);
      await pipeline(emitter, [first, second], 2_000, 0);
      const two = await pipeline(emitter, [first, second], count, 0);
      say("two processes relay and consume", two, one && `${(two.perSecond / one.perSecond).toFixed(2)} of one`);
    }
    const database = new pg.Client({ connectionString: url });
    await database.connect();
    const { rows } = await database.query("select last_value as n from bullmq.job_seq");
    console.log(`  messages and jobs by way of BullMQ: ${String((rows[0] as { n: string }).n)}`);
    await database.end();
  } finally {
    await Promise.all(running.map((app) => app.stop()));
    copy.remove();
  }
}

async function measureRivals(url: string, count: number): Promise<void> {
  for (const kind of RIVALS) {
    await inDatabase(url, async (own) => {
      const owner = new pg.Client({ connectionString: own });
      await owner.connect();
      await owner.query("create schema rival; create table rival.effect (id uuid primary key)");
      await owner.end();
      say(kind, await runRival(kind, own, count, 0));
      say(`  at ${RIVAL_RATE}/s`, await runRival(kind, own, RIVAL_RATE * RATE_SECONDS, RIVAL_RATE));
    });
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: PARTS.join() },
    count: { type: "string", default: "10000" },
    profile: { type: "string" },
  },
});
const [address] = positionals;
if (address === undefined) {
  console.error(
    "usage: npm run bench:events -- postgresql://user:password@host/database [--only PART,PART] [--count N]",
  );
  process.exit(2);
}
const asked = new Set(values.only.split(",") as Part[]);
const count = Number(values.count);
if (asked.has("commits"))
  await inDatabase(address, async (own) => console.log(`bare commits ${(await bareCommits(own)).toFixed(0)}/s`));
if (asked.has("cost") || asked.has("one") || asked.has("two") || asked.has("rates"))
  await inDatabase(address, (own) => measureApp(own, asked, count, values.profile));
if (asked.has("rivals")) await measureRivals(address, count);
process.exit();
