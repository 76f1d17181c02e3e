// makeQueue, makeWorker: BullMQ with the retries, limits, dead letters, traces and intervals
// that every job here has.
import { UnrecoverableError, WaitingError, type JobsOptions } from "bullmq";
import { cfg } from "../config";
import { logger } from "../telemetry/logger";
import { withinTime } from "../telemetry/time-limit";
import {
  announceWork,
  openQueue,
  openWorker,
  type BullJob,
  type BullQueue,
  type BullWorker,
  type JobState,
  type TakenJob,
} from "./bull";
import { comeBackMs, queueNameOf } from "./conventions";
import { claimedTenantOf, openEnvelope } from "./envelope";
import { giveUp, type FailureHandler } from "./final-failure";
import { endChild } from "./flow";
import type { JobDefinition } from "./job";
import { KeptSlot, loopSlotsOf, type Waiting } from "./kept-slot";
import { observeDepth } from "./observability";
import { runJob, taskOf, type JobHandler, type JobRunner } from "./run-job";
import { noteRunTime } from "./run-times";
import { RunningJobs } from "./running-jobs";
import { endTask } from "./tasks";
import { throughGate } from "./tenant-gate";
import { onWork } from "./work-signals";

/** A worker that dies is noticed after its job's lock ends and two checks have seen it: 15 s at most. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** How long a process that stops waits until the jobs at hand are back in their queue. */
const GIVE_BACK_LIMIT_MS = 2_000;
/** More than any retry table: the worker decides when a job is over, BullMQ only counts. */
const ATTEMPTS_CEILING = 1_000;
/** More than run-job.ts takes, which writes the dead letter first: what BullMQ gives up itself is over before anybody hears of it. */
const STALLS_CEILING = 1_000;
const KEEP_FAILED = { age: 7 * 86_400, count: 1_000 };

/** Options of every job, however it gets into its queue. */
export function jobOptions(): JobsOptions {
  return {
    attempts: ATTEMPTS_CEILING,
    backoff: { type: "custom" },
    removeOnComplete: { age: 86_400, count: cfg.queues.keepCompleted },
    removeOnFail: KEEP_FAILED,
    stackTraceLimit: 5,
  };
}

/** An open queue, and what ends the reports of its depth. */
interface OpenQueue {
  queue: BullQueue;
  unobserve: () => void;
}

const queues = new Map<string, Promise<OpenQueue>>();

/** The queue of a job by its name; one for the process. Put jobs into it with enqueue(), which is transactional. */
export async function makeQueue(jobName: string): Promise<BullQueue> {
  const opening = queues.get(jobName) ?? open(jobName);
  queues.set(jobName, opening);
  try {
    return (await opening).queue;
  } catch (error) {
    // The next call asks again.
    if (queues.get(jobName) === opening) queues.delete(jobName);
    throw error;
  }
}

async function open(jobName: string): Promise<OpenQueue> {
  const queue = await openQueue(queueNameOf(jobName));
  return { queue, unobserve: observeDepth(queue) };
}

/** Jobs of a queue by state. */
export async function countJobs(jobName: string, ...states: JobState[]): Promise<Record<string, number>> {
  return (await makeQueue(jobName)).getJobCounts(...states);
}

export interface JobWorker {
  readonly jobName: string;
  /** Begins to take jobs; resolves when connected. */
  start(): Promise<void>;
  /** Takes no more jobs until resume(); those at hand go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Resolves when the jobs at hand are done; with `force` at once: they are aborted, given back and run elsewhere; that is no attempt. */
  stop(force?: boolean): Promise<void>;
}

export interface WorkerSettings<Payload = unknown> {
  /** What follows, once, when a job fails for good. */
  onFailed?: FailureHandler<Payload>;
  concurrency?: number;
  /** For tests: how soon a job whose worker died is taken up again. */
  lockMs?: number;
  stalledCheckMs?: number;
}

const workers = new Set<JobWorker>();

/** Every worker made in this process. */
export function allWorkers(): readonly JobWorker[] {
  return [...workers];
}

/** A worker for the job. It takes nothing before start(), which start.ts calls where the job's service is hosted. */
export function makeWorker<Payload>(
  job: JobDefinition<Payload>,
  handler: JobHandler<Payload>,
  settings: WorkerSettings<Payload> = {},
): JobWorker {
  const worker = createWorker(job, handler, settings);
  workers.add(worker);
  return worker;
}

function createWorker<Payload>(
  job: JobDefinition<Payload>,
  handler: JobHandler<Payload>,
  settings: WorkerSettings<Payload>,
): JobWorker {
  const running = new RunningJobs();
  const runner = { handler, onFailed: settings.onFailed, running };
  const slots = settings.concurrency ?? slotsOf(job);
  const kept = new KeptSlot(job.name, slots, (count) => nextOf(job.name, count));
  let opened: Promise<BullWorker> | undefined;
  let unhear = (): void => undefined;
  const open = (): Promise<BullWorker> =>
    openWorker(
      queueNameOf(job.name),
      (bullJob) => kept.count(claimedTenantOf(bullJob.data), () => take(job, runner, bullJob)),
      {
        concurrency: loopSlotsOf(slots),
        lockDuration: settings.lockMs ?? LOCK_MS,
        stalledInterval: settings.stalledCheckMs ?? STALLED_CHECK_MS,
        maxStalledCount: STALLS_CEILING,
        runRetryDelay: 1_000,
        settings: { backoffStrategy: (attemptsMade) => comeBackMs(job.retry, attemptsMade, Math.random) },
        ...(job.limit ? { limiter: { max: job.limit.max, duration: job.limit.perMs } } : {}),
      },
      { failed: (bullJob, error) => void buryStalled(job, settings.onFailed, bullJob, error) },
    );
  return {
    jobName: job.name,
    start: async () => {
      running.begin();
      opened ??= open().catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      const worker = await opened;
      worker
        .run()
        .catch((error: unknown) =>
          logger("queues").error({ err: error, job: job.name }, "the worker's loop ended with an error"),
        );
      unhear();
      unhear = onWork(queueNameOf(job.name), () => kept.news());
      kept.begin(worker);
    },
    pause: async () => (await opened)?.pause(true),
    resume: async () => {
      await (await opened)?.resume();
      kept.news();
    },
    stop: async (force = false) => {
      const worker = await opened;
      unhear();
      const closed = closing(worker, kept); // from here on it takes nothing, not even what it gives back
      if (force) running.stop();
      await (force ? withinTime(closed, GIVE_BACK_LIMIT_MS).catch(tellOfSlowEnd) : closed);
      opened = undefined;
    },
  };
}

/** What a worker of the job runs at once. */
function slotsOf(job: Pick<JobDefinition, "concurrency" | "kind">): number {
  return job.concurrency ?? (job.kind === undefined ? cfg.queues.concurrency : cfg.queues.set[job.kind]);
}

/** The jobs that are next in the queue. */
async function nextOf(jobName: string, count: number): Promise<Waiting[]> {
  const queue = await makeQueue(jobName);
  const jobs = await queue.getJobs(["prioritized"], 0, count - 1, true);
  const priority = jobs[0]?.priority ?? 1;
  return jobs.map(({ id = "", data }) => ({
    tenantId: claimedTenantOf(data),
    comeForward: async () => (await queue.getJob(id))?.changePriority({ priority, lifo: true }),
  }));
}

/** BullMQ's worker is closed last: what runs in the kept slot needs it to say how it ended, and its lock until then. */
async function closing(worker: BullWorker | undefined, kept: KeptSlot): Promise<void> {
  if (kept.isBusy) void worker?.pause(true);
  const ended = kept.end();
  if (kept.isBusy) await ended;
  await worker?.close(false);
}

function tellOfSlowEnd(error: unknown): void {
  logger("queues").warn(
    { err: error },
    "a worker is not closed yet: what it has at hand runs again when its locks end",
  );
}

/** What BullMQ is to do of a job when it has run here: with WaitingError, nothing. */
async function take<Payload>(job: JobDefinition<Payload>, runner: JobRunner<Payload>, taken: TakenJob): Promise<void> {
  await throughGate(job, taken, {
    run: async (refusals) => {
      const outcome = await timed(job, taken, () => runJob(job, runner, taken, refusals));
      if (outcome === "given_back") throw new WaitingError();
    },
    isOver: (error) => error instanceof UnrecoverableError,
    call: (jobId) => bringForward(job.name, jobId),
  });
}

/** Runs, and notes how long it took, for the turns of its tenant. */
async function timed<T>({ name }: JobDefinition, { data }: TakenJob, run: () => Promise<T>): Promise<T> {
  const tenantId = claimedTenantOf(data);
  if (tenantId === null) return run();
  const beganAtMs = performance.now();
  try {
    return await run();
  } finally {
    noteRunTime(queueNameOf(name), tenantId, performance.now() - beganAtMs);
  }
}

/** A job that waits for its time comes at once; false when it is over, or gone. */
async function bringForward(jobName: string, jobId: string): Promise<boolean> {
  const waiting = await (await makeQueue(jobName)).getJob(jobId);
  if (waiting === undefined) return false;
  try {
    await waiting.promote();
    announceWork(queueNameOf(jobName));
    return true;
  } catch {
    // It has just come by itself, or is only being put back.
    return ["waiting", "prioritized", "active"].includes(await waiting.getState());
  }
}

/** BullMQ gave the job up itself: a worker of a version before this one told it to, after thirty deaths. */
async function buryStalled<Payload>(
  job: JobDefinition<Payload>,
  onFailed: FailureHandler<Payload> | undefined,
  bullJob: BullJob | undefined,
  error: Error,
): Promise<void> {
  if (!bullJob || !error.message.includes("stalled more than allowable limit")) return;
  // Nobody takes it again: what cannot be done now is not done.
  const how = { reason: "stalled_too_often", error: error.message, attempts: bullJob.attemptsMade, times: Infinity };
  try {
    await giveUp(job, onFailed, bullJob, how);
    const envelope = openEnvelope(bullJob.data);
    await endChild(envelope, { state: "failed", reason: how.reason });
    endTask(taskOf(job, bullJob, envelope), { state: "failed", reason: how.reason });
  } catch (failure) {
    logger("queues").error({ err: failure, job: job.name, jobId: bullJob.id }, "a dead letter could not be written");
  }
}

/** Closes every queue made here: for the shutdown and for tests. */
export async function closeQueues(): Promise<void> {
  const closing = [...queues.values()];
  queues.clear();
  const close = async (opening: Promise<OpenQueue>): Promise<void> => {
    const { queue, unobserve } = await opening;
    unobserve();
    await queue.close();
  };
  await Promise.allSettled(closing.map(close));
}
