// Nothing that a job takes stays behind: a worker runs for weeks. Its memory is weighed in run-leaks.long.test.ts.
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { ofThisProcess, takeCensus, type Census } from "../../bench/memory/census";
import { newId } from "../../db/ids";
import { jobOptions, makeQueue } from "../factory";
import { defineJob } from "../job";
import { RunningJobs } from "../running-jobs";
import { startWorkers, stopWorkers } from "../start";
import { makeWorker } from "../worker";

const PART = 100;
const job = defineJob({ name: "test:tidy", payload: z.object({ n: z.number() }), timeoutMs: 60_000, concurrency: 2 });
let ended = 0;

const worker = makeWorker(job, async ({ n }, { signal }) => {
  signal.addEventListener("abort", () => void n);
  ended++;
});

async function runJobs(count: number): Promise<void> {
  const before = ended;
  const data = { payload: { n: 1 }, tenantId: null, headers: {} };
  const queue = await makeQueue(job.name);
  const opts = { ...jobOptions(), removeOnComplete: true };
  await queue.addBulk(
    Array.from({ length: count }, () => ({ name: job.name, data, opts: { ...opts, jobId: newId() } })),
  );
  await vi.waitUntil(() => ended - before === count, { timeout: 55_000, interval: 20 });
}

beforeAll(() => startWorkers([worker]));
afterAll(() => stopWorkers(true));

describe("a worker that has run many jobs", () => {
  let first: Census;
  let last: Census;

  beforeAll(async () => {
    await runJobs(PART);
    first = await ofThisProcess(takeCensus);
    await runJobs(5 * PART);
    last = await ofThisProcess(takeCensus);
  });

  // A connection brings its listeners when it is opened; one listener a job would be more than twice the bound.
  it.each(["listeners", "targetListeners", "abortSignals", "timers"] as const)(
    "keeps no more %s than before",
    (what) => {
      expect(last[what] - first[what]).toBeLessThan(2 * PART);
    },
  );
});

describe("the runs under way", () => {
  it("are forgotten when they end, by themselves, by an error, by their time or by the worker's end", async () => {
    const running = new RunningJobs();
    const never = (): Promise<void> => new Promise(() => undefined);
    await running.within(1_000, "test:a", async () => undefined);
    await expect(running.within(1_000, "test:b", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(running.within(5, "test:c", never)).rejects.toThrow("job test:c took longer than 5 ms");
    const stopped = running.within(60_000, "test:d", never);
    expect(running.size).toBe(1);
    running.abortAll(new Error("the process is stopping"));
    await expect(stopped).rejects.toThrow("the process is stopping");
    expect(running.size).toBe(0);
    await running.within(1_000, "test:e", async (signal) => expect(signal.aborted).toBe(false));
  });
});
