// What a run leaves in memory, by the slope over thousands of them.
import { expect, it } from "vitest";
import { z } from "zod";
import { ofThisProcess, takeMemory } from "../../bench/memory/census";
import { slopeOf, type Sample } from "../../bench/memory/slope";
import { newId } from "../../db/ids";
import { defineJob } from "../job";
import { runJob } from "../run-job";
import { RunningJobs } from "../running-jobs";
import { flushTasks } from "../tasks";

const RUNS = 1_500;
/** At once, as a busy worker has them. */
const WIDTH = 50;
const job = defineJob({ name: "test:tidy", payload: z.object({ n: z.number() }), timeoutMs: 60_000, concurrency: 2 });

it("leaves less than 256 bytes in memory, whether it succeeds or fails", async () => {
  const running = new RunningJobs();
  const data = { payload: { n: 1 }, tenantId: newId(), headers: {} };
  const run = (n: number): Promise<unknown> =>
    runJob(
      job,
      { handler: n % 2 ? async () => undefined : () => Promise.reject(new Error("not yet")), running },
      {
        id: String(n),
        name: job.name,
        data,
        attemptsMade: 0,
        timestamp: Date.now(),
        moveToWait: async () => undefined,
        moveToDelayed: async () => undefined,
        updateProgress: async () => undefined,
        updateData: async () => undefined,
      },
    ).catch(() => undefined);
  const samples: Sample[] = [];
  for (let done = 0; done <= 5 * RUNS; done += RUNS) {
    // The first part warms up.
    for (let n = 0; n < RUNS; n += WIDTH) await Promise.all(Array.from({ length: WIDTH }, (_, at) => run(n + at)));
    // What waits to be written is gone with the next flush, whenever a busy machine comes to it.
    await flushTasks();
    samples.push({ done, bytes: (await ofThisProcess(takeMemory)).heapUsedBytes });
  }
  expect(slopeOf(samples.slice(1)), JSON.stringify(samples)).toBeLessThan(256);
});
