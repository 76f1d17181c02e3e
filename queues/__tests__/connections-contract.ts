// The connections that a process holds for its jobs do not depend on how many job types it runs.
import { afterAll, expect } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { announceWork } from "../bull";
import { queueNameOf } from "../conventions";
import { jobOptions, makeQueue } from "../factory";
import { defineJob } from "../job";
import { startWorkers, stopWorkers } from "../start";
import { makeWorker } from "../worker";

afterAll(() => stopWorkers(true));
let made = 0;

/** Starts workers of so many more job types, idle ones, and then lets each run a job: all of them have heard of it. */
export async function runJobTypes(count: number): Promise<void> {
  let ran = 0;
  const jobs = Array.from({ length: count }, () =>
    defineJob({ name: `test:type-${++made}`, payload: z.object({}), timeoutMs: 60_000 }),
  );
  await startWorkers(jobs.map((job) => makeWorker(job, async () => void ran++)));
  for (const { name } of jobs) {
    const data = { payload: {}, tenantId: null, headers: {} };
    await (await makeQueue(name)).addBulk([{ name, data, opts: { ...jobOptions(), jobId: newId() } }]);
    announceWork(queueNameOf(name));
  }
  await expect.poll(() => ran).toBe(count);
}
