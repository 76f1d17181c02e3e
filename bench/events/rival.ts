// A process of a rival, doing what the app does in the events benchmark: one job a transaction, one row for each as the
// effect. `rival.ts KIND emit URL COUNT PER_SECOND`, or `rival.ts KIND work URL COUNT`, which says when it is ready and,
// at the end, what it measured.
import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import { run, runMigrations } from "graphile-worker";
import pg from "pg";
import { figuresOf, nowMs } from "./waits";

const LANES = 32;
const CONCURRENCY = 32;
const QUEUE = "load";

interface Job {
  id: string;
  sentAtMs: number;
}

type Enqueue = (client: pg.PoolClient, job: Job) => Promise<unknown>;
type Work = (url: string, act: (job: Job) => Promise<void>) => Promise<void>;

interface Rival {
  emitter: (url: string) => Promise<Enqueue>;
  work: Work;
}

const addJob: Enqueue = (client, job) =>
  client.query("select from graphile_worker.add_job('load', $1::json)", [JSON.stringify(job)]);

interface Batching {
  localQueue: { size: number };
  completeJobBatchDelay: number;
  failJobBatchDelay: number;
}

const graphile = (preset?: Batching): Rival => ({
  emitter: () => Promise.resolve(addJob),
  work: async (url, act) => {
    const options = { connectionString: url, maxPoolSize: 20 };
    await runMigrations({ connectionString: url });
    await run({
      ...options,
      ...(preset ? { preset: { worker: { ...preset, connectionString: url } } } : {}),
      concurrency: CONCURRENCY,
      noHandleSignals: true,
      taskList: { load: (payload) => act(payload as Job) },
    });
  },
});

const dbos: Rival = {
  emitter: async (url) => {
    const client = await DBOSClient.create({ systemDatabaseUrl: url, systemDatabasePoolSize: 20 });
    return (connection, job) => client.enqueueInTransaction(connection, { queueName: QUEUE, workflowName: "act" }, job);
  },
  work: async (url, act) => {
    DBOS.setConfig({ name: "load", systemDatabaseUrl: url, logLevel: "error", systemDatabasePoolSize: 20 });
    DBOS.registerWorkflow((job: Job) => DBOS.runStep(() => act(job), { name: "effect" }), { name: "act" });
    await DBOS.launch();
    await DBOS.registerQueue(QUEUE, { workerConcurrency: 200, minPollingIntervalMs: 20 });
  },
};

const rivals: Record<string, Rival> = {
  "graphile-worker": graphile(),
  "graphile-worker, local queue and batched completion": graphile({
    localQueue: { size: 200 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  }),
  dbos,
};

async function emitAll(enqueue: Enqueue, pool: pg.Pool, count: number, perSecond: number): Promise<void> {
  const startedAtMs = performance.now();
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < count) {
      const n = begun++;
      const waitMs = perSecond > 0 ? startedAtMs + (n / perSecond) * 1000 - performance.now() : 0;
      if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const client = await pool.connect();
      const sentAtMs = nowMs();
      await client.query("begin");
      await enqueue(client, { id: crypto.randomUUID(), sentAtMs });
      await client.query("commit");
      client.release();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function workAll(rival: Rival, url: string, pool: pg.Pool, count: number): Promise<void> {
  const waitsMs: number[] = [];
  let firstAtMs = Infinity;
  const done = new Promise<void>((resolve) => {
    const act = async ({ id, sentAtMs }: Job): Promise<void> => {
      firstAtMs = Math.min(firstAtMs, sentAtMs);
      await pool.query("insert into rival.effect (id) values ($1) on conflict do nothing", [id]);
      if (waitsMs.push(nowMs() - sentAtMs) === count) resolve();
    };
    void rival.work(url, act).then(() => process.stdout.write("ready\n"));
  });
  await done;
  process.stdout.write(`${JSON.stringify(figuresOf(waitsMs, (nowMs() - firstAtMs) / 1000))}\n`);
}

const [kind = "", role, url = "", count = "0", perSecond = "0"] = process.argv.slice(2);
const rival = rivals[kind];
if (rival === undefined) throw new Error(`rival.ts: ${kind} is none of ${Object.keys(rivals).join("; ")}`);
const pool = new pg.Pool({ connectionString: url, max: 20 });
if (role === "emit") await emitAll(await rival.emitter(url), pool, Number(count), Number(perSecond));
else await workAll(rival, url, pool, Number(count));
process.exit();
