// How jobs fail for good where that is not by their handler: their workers die.
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { AppDB } from "../../database";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { announceWork, type TakenJob } from "../bull";
import { queueNameOf, RETRY } from "../conventions";
import { countJobs, jobOptions, makeQueue } from "../factory";
import { defineJob, type JobDefinition } from "../job";
import { runJob } from "../run-job";
import { RunningJobs } from "../running-jobs";
import { startWorkers, stopWorkers } from "../start";
import { makeWorker, type FailureHandler } from "../worker";

interface Payload {
  n: number;
}
const payload = z.object({ n: z.number() });
const tenantId = tenantIdFrom(newId());
const data = { payload: { n: 1 }, tenantId, headers: {} };

afterAll(() => stopWorkers(true));

const lettersOf = (jobId: string) =>
  systemQuery<{ reason: string; error: string; attempts: number }>(
    "test",
    "select reason, error, attempts from queues.dead_letter where job_id = $1",
    [jobId],
  );

/** One delivery of a job, as BullMQ hands it to a worker: whether it ran, what its owner was told, and what BullMQ is. */
async function deliver(job: JobDefinition<Payload>, changes: Partial<TakenJob> = {}) {
  const id = changes.id ?? newId();
  const told: string[] = [];
  let runs = 0;
  const onFailed: FailureHandler<Payload> = async (_tx, _payload, { reason }) => void told.push(reason);
  const handler = async (): Promise<void> => void runs++;
  const ignore = async (): Promise<void> => undefined;
  const outcome = await runJob(
    job,
    { handler, onFailed, running: new RunningJobs() },
    {
      ...{ id, name: job.name, data, attemptsMade: 0, attemptsStarted: 1, timestamp: Date.now() },
      ...{ moveToWait: ignore, moveToDelayed: ignore, updateProgress: ignore, ...changes },
    },
  ).catch((error: unknown) => (error as Error).name);
  return { outcome, runs, told, letters: await lettersOf(id) };
}

describe("a job whose workers die", () => {
  const job = defineJob({ name: "test:deadly", payload, retry: RETRY.standard, timeoutMs: 5_000 });

  it("is given up after thirty deaths without being run, and BullMQ hears of it after the dead letter", async () => {
    expect(await deliver(job, { stalledCounter: 29 })).toEqual({ outcome: "completed", runs: 1, told: [], letters: [] });
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
