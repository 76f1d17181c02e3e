// How jobs fail for good where the handler's error is not all: their workers die, the dead letter cannot be written, or the hook fails.
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { AppDB } from "../../database";
import { DbError } from "../../db/errors";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { announceWork, type TakenJob } from "../bull";
import { queueNameOf, RETRY } from "../conventions";
import { CANCELED_HEADER } from "../envelope";
import { countJobs, jobOptions, makeQueue } from "../factory";
import { defineJob, type JobDefinition } from "../job";
import { runJob, UnrecoverableJobError } from "../run-job";
import { RunningJobs } from "../running-jobs";
import { startWorkers, stopWorkers } from "../start";
import { TaskCanceledError } from "../tasks";
import { makeWorker, type FailureHandler } from "../worker";

interface Payload {
  n: number;
}
const payload = z.object({ n: z.number() });
const tenantId = tenantIdFrom(newId());
const data = { payload: { n: 1 }, tenantId, headers: {} };

/** An id of which the database writes no dead letter. */
const UNWRITABLE = "a\0b";

afterAll(() => stopWorkers(true));

const lettersOf = (jobId: string) =>
  systemQuery<{ reason: string; error: string; attempts: number }>(
    "test",
    "select reason, error, attempts from queues.dead_letter where job_id = $1",
    [jobId],
  );

interface Parts {
  handler?: () => Promise<void>;
  onFailed?: () => Promise<void>;
}

/** One delivery of a job, as BullMQ hands it to a worker: whether it ran, what its owner was told, and what BullMQ is. */
async function deliver(job: JobDefinition<Payload>, changes: Partial<TakenJob> = {}, parts: Parts = {}) {
  const id = changes.id ?? newId();
  const told: string[] = [];
  let runs = 0;
  const onFailed: FailureHandler<Payload> = async (_tx, _payload, { reason }) => {
    told.push(reason);
    await parts.onFailed?.();
  };
  const handler = async (): Promise<void> => {
    runs++;
    await parts.handler?.();
  };
  const ignore = async (): Promise<void> => undefined;
  const outcome = await runJob(
    job,
    { handler, onFailed, running: new RunningJobs() },
    {
      ...{ id, name: job.name, data, attemptsMade: 0, attemptsStarted: 1, timestamp: Date.now() },
      ...{ moveToWait: ignore, moveToDelayed: ignore, updateProgress: ignore, updateData: ignore, ...changes },
    },
  ).catch((error: unknown) => (error as Error).name);
  return { outcome, runs, told, letters: id === UNWRITABLE ? [] : await lettersOf(id) };
}

describe("a job whose workers die", () => {
  const job = defineJob({ name: "test:deadly", payload, retry: RETRY.standard, timeoutMs: 5_000 });

  it("is given up after thirty deaths without being run, and BullMQ hears of it after the dead letter", async () => {
    expect(await deliver(job, { stalledCounter: 29 })).toMatchObject({ outcome: "completed", runs: 1, letters: [] });
    expect(await deliver(job, { stalledCounter: 30 })).toMatchObject({
      outcome: "UnrecoverableError",
      runs: 0,
      told: ["stalled_too_often"],
      letters: [{ reason: "stalled_too_often", attempts: 1 }],
    });
  });

  it("is given up without its owner's hook when that may be what kills them", async () => {
    expect(await deliver(job, { stalledCounter: 60 })).toMatchObject({
      outcome: "UnrecoverableError",
      told: [],
      letters: [{ reason: "stalled_too_often" }],
    });
  });

  it("comes back from its queue with the number of deaths, which BullMQ's own limit does not end", async () => {
    const queued = defineJob({ name: "test:deadly-queued", payload, retry: RETRY.standard, timeoutMs: 5_000 });
    let runs = 0;
    const worker = makeWorker(queued, async () => void runs++, { lockMs: 2_000, stalledCheckMs: 50 });
    const id = newId();
    const queue = await makeQueue(queued.name);
    await queue.addBulk([{ name: queued.name, data, opts: { ...jobOptions(), jobId: id } }]);
    // As thirty workers leave it that have died: the last one has it still, and its lock is over.
    const client = new pg.Client({ connectionString: AppDB.connectionString });
    await client.connect();
    await client.query(
      `update bullmq.job set state = 'active', stalled_count = 30, stalled_marked = true, locked_until_ms = 1, lock_token = 'none'
        where queue = $1 and id = $2`,
      [queueNameOf(queued.name), id],
    );
    await client.end();
    await startWorkers([worker]);
    await expect.poll(() => lettersOf(id)).toMatchObject([{ reason: "stalled_too_often", attempts: 1 }]);
    expect((await lettersOf(id))[0]?.error).toContain("stalled 31 times");
    announceWork(queueNameOf(queued.name));
    await expect.poll(() => countJobs(queued.name, "failed", "active")).toEqual({ failed: 1, active: 0 });
    expect(runs).toBe(0);
  });
});

describe("a job whose dead letter cannot be written", () => {
  const once = defineJob({ name: "test:unwritten", payload, retry: RETRY.once, timeoutMs: 5_000 });

  it("comes back with its own error, and is then given up without being run beyond its attempts", async () => {
    const handler = (): Promise<void> => Promise.reject(new TypeError("the only attempt"));
    let progress: unknown = { other: 1 };
    const updateProgress = async (note: unknown): Promise<void> => void (progress = note);
    const unwritten = await deliver(once, { id: UNWRITABLE, progress, updateProgress }, { handler });
    expect(unwritten).toMatchObject({ outcome: "TypeError", runs: 1 });
    const left = { attemptsMade: 1, failedReason: "the only attempt" };
    expect(await deliver(once, { id: UNWRITABLE, ...left, progress, updateProgress }, { handler })).toMatchObject({
      outcome: "LeftOverError",
      runs: 0,
    });
    expect(progress).toMatchObject({ other: 1, givingUp: { times: 2 } });
    expect(await deliver(once, { ...left, progress }, { handler })).toEqual({
      outcome: "UnrecoverableError",
      runs: 0,
      told: ["attempts_exhausted"],
      letters: [{ reason: "attempts_exhausted", error: "TypeError: the only attempt", attempts: 1 }],
    });
  });

  it("is given up as what it was, also while attempts are left", async () => {
    const many = defineJob({ name: "test:unwritten-many", payload, retry: RETRY.standard, timeoutMs: 5_000 });
    const handler = (): Promise<void> => Promise.reject(new UnrecoverableJobError("nothing helps"));
    let progress: unknown;
    const updateProgress = async (note: unknown): Promise<void> => void (progress = note);
    await deliver(many, { id: UNWRITABLE, updateProgress }, { handler });
    expect(await deliver(many, { attemptsMade: 1, progress }, { handler })).toMatchObject({
      runs: 0,
      told: ["unrecoverable"],
      letters: [{ reason: "unrecoverable", attempts: 1 }],
    });
  });

  it("is not what BullMQ counts as failed by itself: that one runs", async () => {
    expect(await deliver(once, { attemptsMade: 1, failedReason: "Connection terminated" })).toEqual({
      ...{ outcome: "completed", runs: 1, told: [], letters: [] },
    });
  });

  it("waits with it for a hook that found the database away, half an hour", async () => {
    const handler = (): Promise<void> => Promise.reject(new TypeError("the only attempt"));
    const onFailed = (): Promise<void> => Promise.reject(new DbError("unavailable", "the database is away"));
    let progress: unknown;
    const updateProgress = async (note: unknown): Promise<void> => void (progress = note);
    const first = await deliver(once, { updateProgress }, { handler, onFailed });
    expect(first).toMatchObject({ outcome: "TypeError", letters: [] });
    expect(await deliver(once, { attemptsMade: 1, progress })).toMatchObject({
      runs: 0,
      told: ["attempts_exhausted"],
      letters: [{ attempts: 1 }],
    });
    const last = { progress: { givingUp: { reason: "unrecoverable", error: "x", attempts: 1, times: 30 } } };
    expect(await deliver(once, last, { onFailed })).toMatchObject({
      outcome: "UnrecoverableError",
      letters: [{ reason: "unrecoverable" }],
    });
  });
});

describe("a canceled job whose owner's hook fails", () => {
  const job = defineJob({ name: "test:untold", payload, retry: { ...RETRY.standard, attempts: 3 }, timeoutMs: 5_000 });
  const canceled = { ...data, headers: { [CANCELED_HEADER]: "1" } };
  const onFailed = (): Promise<void> => Promise.reject(new TypeError("the hook is broken"));
  const told = ["canceled"];

  it("tells its owner again within its attempts, and no further", async () => {
    const tellAt = (attemptsMade: number) => deliver(job, { data: canceled, attemptsMade }, { onFailed });
    for (const attemptsMade of [0, 1])
      expect(await tellAt(attemptsMade)).toEqual({ outcome: "TypeError", runs: 0, told, letters: [] });
    expect(await tellAt(2)).toEqual({ outcome: "completed", runs: 0, told, letters: [] });
  });

  it("tells its owner also behind its attempts when it was the database that was away", async () => {
    const away = (): Promise<void> => Promise.reject(new DbError("unavailable", "the database is away"));
    const last = { data: canceled, attemptsMade: 2 };
    expect(await deliver(job, last, { onFailed: away })).toMatchObject({ outcome: "DbError", told });
    expect(await deliver(job, { ...last, attemptsMade: 3 })).toMatchObject({ outcome: "completed", runs: 0, told });
  });

  it("does not run when it comes again, also where it was canceled while it ran", async () => {
    const marks: unknown[] = [];
    const handler = (): Promise<void> => Promise.reject(new TaskCanceledError("the task was canceled"));
    const updateData = async (marked: unknown): Promise<void> => void marks.push(marked);
    const { outcome, runs } = await deliver(job, { updateData }, { handler, onFailed });
    expect([outcome, runs, marks]).toEqual(["TypeError", 1, [canceled]]);
  });
});
