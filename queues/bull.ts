// BullMQ's two backends behind one pair of constructors: Postgres (the app's own database, schema bullmq) by
// default, Redis when cfg.redisUrl is set. The Postgres backend gets a pool of its own, because its
// statements need a search_path, and Encore's proxy drops startup options, so each connection sets it itself. How many
// connections a process holds does not depend on how many queues it works on (shared-backends.ts).
import {
  PostgresConnection,
  runMigrations,
  withBackend,
  type JobsOptions,
  type Processor,
  type QueueOptions,
  type WorkerOptions,
} from "bullmq";
import { appMeta } from "encore.dev";
import pg from "pg";
import { cfg } from "../config";
import { AppDB } from "../database";
import { logger } from "../telemetry/logger";
import { withinTime } from "../telemetry/time-limit";
import { askInTurn } from "./ask-in-turn";
import type { JobData } from "./envelope";
import { RedisStorage } from "./redis-storage";
import { listeningFactory } from "./shared-backends";
import { goByServerClock } from "./store/lock-clock";
import { BULLMQ_SCHEMA, searchPathSet } from "./store/search-path";
import { signalWork } from "./work-signals";

/** The part of a BullMQ job that is used here. */
export interface BullJob {
  id?: string | undefined;
  name: string;
  data: JobData;
  /** Attempts that have ended; 0 during the first. */
  attemptsMade: number;
  timestamp: number;
  priority?: number;
  delay?: number;
}

/** One that a worker of this process has taken. */
export interface TakenJob extends BullJob {
  token?: string | undefined;
  /** How often it was taken up, also where that was no attempt. */
  attemptsStarted?: number;
  /** How often a worker died that ran it, in all its attempts. */
  stalledCounter?: number;
  /** Message of the error that its attempt before ended with. */
  failedReason?: string | undefined;
  /** Back to its queue, for whoever takes it next; this is no attempt. */
  moveToWait(token?: string): Promise<unknown>;
  /** Back to its queue, to be taken at that time or later; this is no attempt. */
  moveToDelayed(atMs: number, token?: string): Promise<unknown>;
  /** A note of its workers (give-back.ts), apart from its data, which whoever cancels it writes. */
  progress?: unknown;
  updateProgress(note: object): Promise<void>;
  updateData(data: JobData): Promise<void>;
}

/** One that is in a queue, as it was when it was asked for. */
export interface QueuedJob extends BullJob {
  getState(): Promise<string>;
  updateData(data: JobData): Promise<void>;
  /** With `lifo` before the others of the same priority. */
  changePriority(to: { priority: number; lifo: boolean }): Promise<void>;
  /** Rejects when it is not delayed. */
  promote(): Promise<void>;
}

export type JobState = "waiting" | "prioritized" | "active" | "delayed" | "failed" | "completed";

/** The part of a BullMQ queue that is used here. */
export interface BullQueue {
  readonly name: string;
  addBulk(jobs: { name: string; data: JobData; opts: JobsOptions }[]): Promise<unknown>;
  getJobCounts(...states: JobState[]): Promise<Record<string, number>>;
  getJobs(states: JobState[], start: number, end: number, ascending: boolean): Promise<BullJob[]>;
  getJob(id: string): Promise<QueuedJob | undefined>;
  /** "unknown" for one that it does not have. */
  getJobState(id: string): Promise<string>;
  close(): Promise<void>;
}

/** The part of a BullMQ worker that is used here. */
export interface BullWorker {
  run(): Promise<void>;
  /** One job more than its own loop takes; undefined when none waits, or none may begin now. */
  getNextJob(token: string, options: { block: false }): Promise<TakenJob | undefined>;
  /** Runs a job that getNextJob has taken, to its end; resolves with the next one, if it is to take one. */
  processJob(job: TakenJob, token: string, fetchesNext: () => boolean): Promise<TakenJob | void>;
  pause(doNotWaitActive: boolean): Promise<void>;
  resume(): Promise<void>;
  isPaused(): boolean;
  close(force: boolean): Promise<void>;
}

export interface WorkerListeners {
  failed(job: BullJob | undefined, error: Error): void;
}

const NOTIFY_CHANNEL = "bullmq_jobs";
/** One listens for all workers; the rest serve commands, which are short, and are opened only when needed. */
export const POOL_MAX = 20;

interface Storage {
  pool: pg.Pool;
  /** What all queues and workers share. */
  connection: PostgresConnection;
  clients: Set<pg.PoolClient>;
  migrated: Promise<void>;
}

/** The server may be gone or silent; nobody waits for it longer than this. */
const ANSWER_LIMIT_MS = 30_000;

let storage: Storage | undefined;
let redis: RedisStorage | undefined;

/** Opens a queue; its schema is made first when the database has none. Rejects when it cannot be reached. */
export async function openQueue(name: string): Promise<BullQueue> {
  const options: Omit<QueueOptions, "connection"> = { streams: { events: { maxLen: 1_000 } } };
  const queue =
    cfg.redisUrl === undefined
      ? await openPostgresQueue(name, options)
      : await redisStorage(cfg.redisUrl).openQueue(name, options);
  queue.on("error", (error) =>
    logger("queues").warn({ err: error, queue: name }, "the queue's connection met an error"),
  );
  await readyOrClosed(queue);
  return queue;
}

/** Opens a worker that does nothing until run() is called. Rejects when its queue cannot be reached. */
export async function openWorker(
  name: string,
  process: (job: TakenJob) => Promise<void>,
  options: Omit<WorkerOptions, "connection">,
  on: WorkerListeners,
): Promise<BullWorker> {
  const processor: Processor<JobData> = process;
  const all = { ...options, autorun: false };
  const worker =
    cfg.redisUrl === undefined
      ? await openPostgresWorker(name, processor, all)
      : await redisStorage(cfg.redisUrl).openWorker(name, processor, all);
  worker.on("error", (error) =>
    logger("queues").warn({ err: error, queue: name }, "the worker's connection met an error"),
  );
  worker.on("failed", (job, error) => {
    on.failed(job, error);
    announceWork(name);
  });
  worker.on("stalled", () => announceWork(name));
  await readyOrClosed(worker);
  return worker;
}

/** BullMQ remembers a failed first connection for good and then retries without pause: whoever failed to connect is thrown away. */
async function readyOrClosed(part: { waitUntilReady(): Promise<unknown>; close(): Promise<void> }): Promise<void> {
  try {
    await withinTime(part.waitUntilReady(), ANSWER_LIMIT_MS);
  } catch (error) {
    part.close().catch(() => undefined); // not awaited: who does not answer does not say goodbye either
    throw error;
  }
}

/**
 * Tells workers that a queue has work, now or at a time they do not know of yet (a retry): those of this process, and on
 * Redis all others. On Postgres those hear it by NOTIFY; the embedded database delivers
 * none, and polling alone would cost up to five seconds a job.
 */
export function announceWork(queueName: string): void {
  signalWork(queueName);
  redis?.announce(queueName);
  for (const client of storage?.clients ?? [])
    client.emit("notification", {
      channel: NOTIFY_CHANNEL,
      payload: queueName,
      processId: 0,
      length: 0,
      name: "notification",
    });
}

/** Ends the connections, after every queue and worker is closed. */
export async function closeStorage(): Promise<void> {
  const closing = storage;
  storage = undefined;
  redis?.close();
  redis = undefined;
  await closing?.connection.close();
  await closing?.pool.end();
}

async function openPostgresQueue(name: string, options: Omit<QueueOptions, "connection">) {
  const { pool, connection } = await readyStorage();
  return new (withBackend(listeningFactory(connection)).Queue)<JobData>(name, { ...options, connection: pool });
}

async function openPostgresWorker(
  name: string,
  processor: Processor<JobData>,
  options: Omit<WorkerOptions, "connection">,
) {
  const { pool, connection } = await readyStorage();
  const { Worker } = withBackend(listeningFactory(connection));
  return new Worker<JobData>(name, processor, { ...options, connection: pool });
}

function redisStorage(url: string): RedisStorage {
  const { appId } = appMeta();
  // Not BullMQ's own "bull", under which every other app's queues are that use BullMQ.
  redis ??= new RedisStorage(url, { prefix: appId === "" ? "groundwork-jobs" : `groundwork-jobs-${appId}` });
  return redis;
}

async function readyStorage(): Promise<Storage> {
  storage ??= openStorage();
  const current = storage;
  try {
    await current.migrated;
  } catch (error) {
    // Ask again next time instead of remembering the failure.
    if (storage === current) await closeStorage();
    throw error;
  }
  return current;
}

function openStorage(): Storage {
  const pool = new pg.Pool({
    connectionString: AppDB.connectionString,
    max: POOL_MAX,
    application_name: "groundwork-jobs",
    idleTimeoutMillis: cfg.db.idleTimeoutMs,
    connectionTimeoutMillis: 10_000,
    query_timeout: ANSWER_LIMIT_MS,
    keepAlive: true,
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- the pool awaits what its hook returns; only its types do not say so
    onConnect: searchPathSet,
  });
  goByServerClock(pool);
  pool.setMaxListeners(0);
  const clients = new Set<pg.PoolClient>();
  pool.on("connect", (client) => {
    clients.add(client);
    askInTurn(client);
    client.setMaxListeners(0);
    client.on("error", () => undefined);
    client.on("notification", ({ channel, payload, processId }) => {
      // What this process tells itself, it has heard.
      if (channel === NOTIFY_CHANNEL && payload !== undefined && processId !== 0) signalWork(payload);
    });
  });
  pool.on("remove", (client) => clients.delete(client));
  const connection = new PostgresConnection(pool);
  connection.setMaxListeners(0).on("error", () => undefined); // those who use it report it
  const migrated = migrate(pool).then(() => connection.waitUntilReady());
  return { pool, connection, clients, migrated };
}

async function migrate(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await runMigrations(client, BULLMQ_SCHEMA);
  } finally {
    client.release();
  }
}
