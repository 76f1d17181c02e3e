// Workers that die: needs sessions of their own, so native Postgres only.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { createRelay } from "../../events/relay";
import { tenantIdFrom } from "../../security/principal";
import { openWorker } from "../bull";
import { queueNameOf } from "../conventions";
import { enqueue } from "../enqueue";
import { countJobs } from "../factory";
import { defineJob } from "../job";
import { startQueues, startWorkers, stopWorkers } from "../start";
import { makeWorker } from "../worker";

const tenantId = tenantIdFrom(newId());
const job = defineJob({ name: "test:recovered", payload: z.object({ n: z.number() }), timeoutMs: 5_000 });
beforeAll(startQueues);
afterAll(() => stopWorkers(true));

describe("a job whose worker dies", () => {
  it("is taken up by another worker once its lock has ended, each job exactly once more", async () => {
    await withTenant({ tenantId }, async (tx) => {
      for (let n = 0; n < 5; n++) await enqueue(tx, job, { n });
    });
    await createRelay().runOnce();

    // A worker as a SIGKILL leaves it: jobs active, nobody renewing their locks.
    const held: string[] = [];
    const dying = await openWorker(
      queueNameOf(job.name),
      (taken) => new Promise(() => held.push(taken.id ?? "")),
      { concurrency: 5, lockDuration: 300, skipLockRenewal: true, skipStalledCheck: true },
      { failed: () => undefined },
    );
    void dying.run();
    await expect.poll(() => held.length).toBe(5);
    await dying.close(true);

    const done: string[] = [];
    const worker = makeWorker(
      job,
      async (_payload, ctx) => {
        done.push(ctx.jobId);
      },
      { lockMs: 2_000, stalledCheckMs: 200 },
    );
    await startWorkers([worker]);
    await expect.poll(() => done.length).toBe(5);
    await expect
      .poll(() => countJobs(job.name, "completed", "active", "waiting", "failed"))
      .toEqual({ completed: 5, active: 0, waiting: 0, failed: 0 });
    expect([...done].sort()).toEqual([...held].sort());
  });
});
