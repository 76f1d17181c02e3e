import { expect, test } from "vitest";
import { z } from "zod";
import { watchDriver } from "../../db/__tests__/driver-watch";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { runRelayAndWorkers } from "../../testing";
import { enqueue } from "../enqueue";
import { defineJob } from "../job";
import { startWorkers } from "../start";
import { makeWorker } from "../worker";

runRelayAndWorkers();

test("workers that start and wait together ask nothing of a client that is being asked", async () => {
  const payload = z.object({});
  const jobs = Array.from({ length: 8 }, (_, n) => defineJob({ name: `test:in-turn-${n}`, payload, timeoutMs: 5_000 }));
  const queued = watchDriver();
  let runs = 0;
  await startWorkers(jobs.map((job) => makeWorker(job, async () => void runs++)));
  await withTenant({ tenantId: tenantIdFrom(newId()) }, async (tx) => {
    for (const job of jobs) await enqueue(tx, job, {});
  });
  await expect.poll(() => runs).toBe(jobs.length);
  expect(queued).toEqual([]);
});
