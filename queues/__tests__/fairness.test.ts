import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { createRelay } from "../../events/relay";
import { tenantIdFrom } from "../../security/principal";
import { enqueue } from "../enqueue";
import { takeTurns } from "../fairness";
import { makeQueue } from "../factory";
import { defineJob } from "../job";
import { startWorkers, stopWorkers } from "../start";
import { makeWorker } from "../worker";

const job = defineJob({ name: "test:fair", payload: z.object({ n: z.number() }), timeoutMs: 5_000, concurrency: 1 });
const [large, small] = [tenantIdFrom(newId()), tenantIdFrom(newId())];
const order: string[] = [];

afterAll(() => stopWorkers(true));

describe("turns", () => {
  it("let a tenant's first job pass another's backlog, without letting anyone starve", async () => {
    const relay = createRelay();
    await withTenant({ tenantId: large }, async (tx) => {
      for (let n = 0; n < 30; n++) await enqueue(tx, job, { n });
    });
    await relay.runOnce();
    await withTenant({ tenantId: small }, async (tx) => {
      for (let n = 0; n < 3; n++) await enqueue(tx, job, { n });
    });
    await relay.runOnce();

    const worker = makeWorker(job, async (_payload, ctx) => {
      order.push(ctx.tenantId === large ? "large" : "small");
    });
    await startWorkers([worker]);
    await expect.poll(() => order.length, { timeout: 10_000 }).toBe(33);
    // Each of the small tenant's jobs waits for at most one more of the large one's.
    expect(order.slice(0, 6).filter((tenant) => tenant === "small").length).toBe(3);
    expect(order.slice(6)).toEqual(Array.from({ length: 27 }, () => "large"));
  });

  it("start again at one for everybody once the queue has run empty", async () => {
    expect(await takeTurns(await makeQueue(job.name), [large, small, large, null])).toEqual([1, 1, 2, 1]);
  });
});
