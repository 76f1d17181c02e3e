import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { createRelay } from "../../events/relay";
import { tenantIdFrom } from "../../security/principal";
import type { BullJob, BullQueue } from "../bull";
import { enqueue } from "../enqueue";
import { takeTurns } from "../fairness";
import { defineJob } from "../job";
import { noteRunTime, tellRunTimes } from "../run-times";
import { startQueues, startWorkers, stopWorkers } from "../start";
import { makeWorker } from "../worker";

const job = defineJob({ name: "test:fair", payload: z.object({ n: z.number() }), timeoutMs: 5_000, concurrency: 1 });
const [large, small, third] = [tenantIdFrom(newId()), tenantIdFrom(newId()), tenantIdFrom(newId())];
const order: string[] = [];

beforeAll(startQueues);
afterAll(() => stopWorkers(true));

describe("turns", () => {
  it("let a tenant's first job pass another's backlog, without letting anyone starve", async () => {
    const relay = createRelay();
    await withTenant({ tenantId: large }, async (tx) => {
      for (let n = 0; n < 30; n++) await enqueue(tx, job, { n });
    });
    while ((await relay.runOnce()) > 0);
    await withTenant({ tenantId: small }, async (tx) => {
      for (let n = 0; n < 3; n++) await enqueue(tx, job, { n });
    });
    while ((await relay.runOnce()) > 0);

    const worker = makeWorker(job, async (_payload, ctx) => {
      order.push(ctx.tenantId === large ? "large" : "small");
    });
    await startWorkers([worker]);
    await expect.poll(() => order.length).toBe(33);
    // Each of the small tenant's jobs waits for at most one more of the large one's.
    expect(order.slice(0, 6).filter((tenant) => tenant === "small").length).toBe(3);
    expect(order.slice(6)).toEqual(Array.from({ length: 27 }, () => "large"));
  });
});

/** A queue of which only the priorities of its jobs matter, as takeTurns sees it. */
function queueOf(name: string) {
  const [waiting, delayed, active]: [number[], number[], number[]] = [[], [], []];
  const jobsOf = { prioritized: waiting, delayed } as Record<string, number[]>;
  const queue = {
    name,
    getJobs: async ([state = ""]: string[]) =>
      (jobsOf[state] ?? []).toSorted((a, b) => a - b).map((priority) => ({ priority }) as BullJob),
    getJobCounts: async (...states: string[]) => {
      const counts = { prioritized: waiting.length, delayed: delayed.length, active: active.length };
      return Object.fromEntries(Object.entries(counts).filter(([state]) => states.includes(state)));
    },
  } as Partial<BullQueue> as BullQueue;
  return { queue, waiting, delayed, active };
}

const rowsOf = async (queue: string): Promise<number> =>
  (await systemQuery("test", "select 1 from queues.tenant_turn where queue = $1", [queue])).length;

describe("the clock", () => {
  it("stands where the last turn was when the queue has run empty, so that nobody pays for what was served", async () => {
    const { queue } = queueOf("test.empty");
    expect(await takeTurns(queue, [large, large, large])).toEqual([1, 4, 6]);
    expect(await takeTurns(queue, [small, large, null])).toEqual([7, 7, 7]);
  });

  it("does not run backwards when a job comes back with an old turn", async () => {
    const { queue, waiting } = queueOf("test.retried");
    waiting.push(
      ...(await takeTurns(
        queue,
        Array.from({ length: 100 }, () => large),
      )),
    );
    waiting.splice(0, 60);
    expect(waiting[0]).toBe(122);
    expect(await takeTurns(queue, [small, small])).toEqual([121, 124]);
    waiting.unshift(5);
    expect(await takeTurns(queue, [third])).toEqual([121]);
    expect(await takeTurns(queue, [large])).toEqual([202]);
  });

  it("gives each tenant one turn a round, whoever comes and goes, and forgets those who are served", async () => {
    const { queue, waiting } = queueOf("test.many");
    waiting.push(
      ...(await takeTurns(
        queue,
        Array.from({ length: 500 }, () => large),
      )),
    );
    for (let round = 1; round <= 40; round++) {
      const visitors = Array.from({ length: 25 }, () => newId());
      const turns = await takeTurns(queue, visitors);
      expect(new Set(turns)).toEqual(new Set([2 * round - 1]));
      waiting.shift();
    }
    // A thousand visitors came; those of the last round stay, with the large tenant and the clock.
    expect(await rowsOf("test.many")).toBeLessThanOrEqual(2 * 25 + 2);
  });

  it("weighs a turn by the time that a tenant's runs take", async () => {
    const { queue, waiting } = queueOf("test.weighed");
    waiting.push(...(await takeTurns(queue, [large, large, small, small])));
    for (const [tenantId, ms] of [
      [large, 200],
      [small, 20],
    ] as const)
      noteRunTime("test.weighed", tenantId, ms);
    await tellRunTimes();
    // A job of the one takes as long as ten of the other: so much of a turn it costs.
    const three = await takeTurns(queue, [large, large, large, small, small, small]);
    expect(three).toEqual([3, 13, 23, 3, 4, 5].map((tag) => 2 * tag));
    noteRunTime("test.weighed", large, 1_000_000);
    await tellRunTimes();
    expect(await takeTurns(queue, [large, large])).toEqual([33, 49].map((tag) => 2 * tag));
  });

  it("forgets more tenants in a hand-over than it brings, after any pause", async () => {
    const { queue, waiting } = queueOf("test.pause");
    await takeTurns(
      queue,
      Array.from({ length: 50 }, () => newId()),
      { forgetMax: 0 },
    );
    waiting.push(4);
    for (let n = 0; n < 5; n++) await takeTurns(queue, [newId()], { forgetMax: 20 });
    expect(await rowsOf("test.pause")).toBeLessThanOrEqual(6);
  });

  it("starts again before BullMQ's priorities end, when no job is left that has a turn", async () => {
    const { queue, waiting, delayed, active } = queueOf("test.ceiling");
    const settings = { restartAt: 15 };
    await takeTurns(
      queue,
      Array.from({ length: 20 }, () => large),
      settings,
    );
    delayed.push(40);
    expect(await takeTurns(queue, [small], settings)).toEqual([41]);
    delayed[0] = 0; // a schedule's next run: it has none
    waiting.push(41);
    expect(await takeTurns(queue, [small], settings)).toEqual([44]);
    waiting.pop();
    // One that runs may come back with the tag that it has.
    active.push(41);
    expect(await takeTurns(queue, [small], settings)).toEqual([45]);
    active.pop();
    expect(await takeTurns(queue, [small, large], settings)).toEqual([1, 1]);
    expect(await takeTurns(queue, [small], settings)).toEqual([3]);
    // Where something runs all the time it does not wait until the priorities end.
    await takeTurns(queue, Array<string>(25).fill(large), settings);
    active.push(41);
    expect(await takeTurns(queue, [small], settings)).toEqual([1]);
  });

  it("goes on to the highest priority where it cannot, and no further", async () => {
    const { queue, waiting } = queueOf("test.full");
    waiting.push(2_097_150);
    expect(await takeTurns(queue, [small, small, small])).toEqual([2_097_149, 2_097_150, 2_097_150]);
  });
});
