// What queues promise of rates and of runs at once, on every backend: each suite that imports this runs it on the one its process is
// configured for. Counted, not timed: jobs last until the test lets them end, and no rate's time is over before the test is.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { runRelayAndWorkers } from "../../testing";
import { cancelTask } from "../cancel";
import { enqueue } from "../enqueue";
import { countJobs } from "../factory";
import { defineJob, type JobDefinition } from "../job";
import { startWorkers } from "../start";
import { TENANT_ADMIT, TENANT_LEAVE } from "../store/tenant-gate";
import { makeWorker, type JobHandler } from "../worker";

const newTenant = (): TenantId => tenantIdFrom(newId());
const payload = z.object({ holds: z.boolean().optional() });
const LONG_MS = 3_600_000;
let made = 0;

/** mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Limits = Pick<JobDefinition, "concurrency" | "limit" | "perTenant">;

/** A job whose runs are counted by tenant, and of which those that hold last until they are let go; with as many workers as wanted. */
async function countedJob(limits: Limits, workers = 1) {
  const job = defineJob({ name: `test:counted-${++made}`, payload, timeoutMs: 120_000, ...limits });
  const ended: (TenantId | null)[] = [];
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  let letGo = (): void => undefined;
  const gone = new Promise<void>((resolve) => (letGo = resolve));
  const handler: JobHandler<z.infer<typeof payload>> = async ({ holds = false }, { tenantId }) => {
    const key = tenantId ?? "";
    const runs = (running.get(key) ?? 0) + 1;
    running.set(key, runs);
    most.set(key, Math.max(runs, most.get(key) ?? 0));
    if (holds) await gone;
    running.set(key, (running.get(key) ?? 0) - 1);
    ended.push(tenantId);
  };
  await startWorkers(Array.from({ length: workers }, () => makeWorker(job, handler)));
  return {
    job,
    ended,
    letGo,
    running: (tenantId: TenantId): number => running.get(tenantId) ?? 0,
    most: (tenantId: TenantId): number => most.get(tenantId) ?? 0,
    add: (tenantId: TenantId, count: number, holds: boolean): Promise<string[]> =>
      withTenant({ tenantId }, async (tx) => {
        const ids: string[] = [];
        for (let n = 0; n < count; n++) ids.push(await enqueue(tx, job, { holds }));
        return ids;
      }),
  };
}

/** Those that are in the queue and do not run. */
async function waitingOf(job: string): Promise<number> {
  const counts = await countJobs(job, "waiting", "prioritized", "delayed");
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

const refusalsOf = async (job: string): Promise<number[]> =>
  (await systemQuery<{ refused: number }>("test", "select refused from queues.tenant_run where queue = $1", [job])).map(
    ({ refused }) => refused,
  );

runRelayAndWorkers();

/** More of them by command: GROUNDWORK_SLOTS_ROUNDS=100 npx vitest run queues/__tests__/limits.test.ts */
const ROUNDS = Number(process.env.GROUNDWORK_SLOTS_ROUNDS ?? 1);

describe("a queue's slots", () => {
  const seed = Number(process.env.GROUNDWORK_SLOTS_SEED ?? Math.floor(Math.random() * 2 ** 31));

  it(`are never all one tenant's, however long its jobs take and however many wait (seed ${seed})`, async () => {
    const random = randomOf(seed);
    for (let round = 0; round < ROUNDS; round++) {
      const slots = 2 + random(4);
      const { add, running, ended, letGo } = await countedJob({ concurrency: slots });
      const [large, ...others] = [newTenant(), newTenant(), newTenant()];
      const backlog = slots + 1 + random(4);
      await add(large, backlog, true);
      await expect.poll(() => running(large)).toBe(slots - 1);
      for (let turn = 0; turn < 2; turn++) {
        const other = others[random(others.length)] ?? large;
        const jobs = 1 + random(3);
        const before = ended.length;
        await add(other, jobs, false);
        await expect.poll(() => ended.length - before, { message: `seed ${seed}, round ${round}` }).toBe(jobs);
        expect(running(large)).toBe(slots - 1);
      }
      letGo();
      await expect.poll(() => ended.filter((tenantId) => tenantId === large).length).toBe(backlog);
    }
  });
});

describe("a job of high priority", () => {
  it("passes what its own tenant has waiting, and nobody else's turn", async () => {
    const names = z.object({ name: z.string() });
    const job = defineJob({ name: "test:priorities", payload: names, timeoutMs: 5_000, concurrency: 1 });
    const order: string[] = [];
    const worker = makeWorker(job, async ({ name }) => void order.push(name));
    const [large, small] = [newTenant(), newTenant()];
    const add = (tenantId: TenantId, names: string[], priority: "normal" | "high"): Promise<void> =>
      withTenant({ tenantId }, async (tx) => {
        for (const name of names) await enqueue(tx, job, { name }, { priority });
      });
    await add(large, ["a1", "a2", "a3", "a4"], "normal");
    await expect.poll(() => waitingOf(job.name)).toBe(4);
    await add(small, ["b1"], "normal");
    await expect.poll(() => waitingOf(job.name)).toBe(5);
    await add(large, ["now", "next"], "high");
    await expect.poll(() => waitingOf(job.name)).toBe(7);
    await startWorkers([worker]);
    await expect.poll(() => order.length).toBe(7);
    expect(order).toEqual(["a1", "b1", "now", "next", "a2", "a3", "a4"]);
  });
});

describe("a queue's rate", () => {
  it("bounds the runs that begin, of all tenants and over all workers", async () => {
    const { job, add, ended } = await countedJob({ limit: { max: 3, perMs: LONG_MS } }, 2);
    for (const tenantId of [newTenant(), newTenant()]) await add(tenantId, 4, false);
    await expect.poll(() => waitingOf(job.name)).toBe(5);
    await expect.poll(() => countJobs(job.name, "completed", "active")).toEqual({ completed: 3, active: 0 });
    expect(ended.length).toBe(3);
  });
});

describe("what a tenant may have", () => {
  it("is so many runs at once over all workers, each that ends lets the next come, and nobody else waits for it", async () => {
    const { job, add, running, most, ended, letGo } = await countedJob(
      { concurrency: 3, perTenant: { concurrency: 2 } },
      2,
    );
    const [large, small] = [newTenant(), newTenant()];
    await add(large, 5, true);
    await expect.poll(() => countJobs(job.name, "active", "delayed")).toEqual({ active: 2, delayed: 3 });
    // Each of the three was taken once, and none again: what waits keeps nobody busy.
    expect((await refusalsOf(job.name)).toSorted()).toEqual([0, 0, 1, 1, 1]);
    await add(small, 3, true);
    await expect.poll(() => [running(large), running(small)]).toEqual([2, 2]);
    letGo();
    await expect.poll(() => ended.length).toBe(8);
    expect([most(large), most(small)]).toEqual([2, 2]);
    await expect.poll(() => refusalsOf(job.name)).toEqual([]);
  });

  it("is so many beginnings in a time, each at its own, and nobody asks again before", async () => {
    const { job, add, ended } = await countedJob({ perTenant: { limit: { max: 1, perMs: LONG_MS } } }, 2);
    const [one, other] = [newTenant(), newTenant()];
    await add(one, 4, false);
    await add(other, 2, false);
    await expect.poll(() => countJobs(job.name, "completed", "delayed")).toEqual({ completed: 2, delayed: 4 });
    expect(ended.toSorted()).toEqual([one, other].toSorted());
    expect(await refusalsOf(job.name)).toEqual([1, 1, 1, 1]);
  });

  it("is what the job declares now: those that were promised a time by another rate come by this one", async () => {
    const { job, add, ended } = await countedJob({ perTenant: { limit: { max: 1, perMs: 100 * LONG_MS } } });
    const tenantId = newTenant();
    await add(tenantId, 8, false);
    await expect.poll(() => countJobs(job.name, "completed", "delayed")).toEqual({ completed: 1, delayed: 7 });
    // As the next version of the app declares it.
    Object.assign(job.perTenant?.limit ?? {}, { max: 50, perMs: 1_000 });
    await add(tenantId, 1, false);
    await expect.poll(() => countJobs(job.name, "completed", "delayed")).toEqual({ completed: 9, delayed: 0 });
    expect(ended).toHaveLength(9);
  });

  it("is not used up by jobs that were called off while they waited for it", async () => {
    const { job, add, running, ended, letGo } = await countedJob({ concurrency: 4, perTenant: { concurrency: 1 } });
    const tenantId = newTenant();
    await add(tenantId, 1, true);
    await expect.poll(() => running(tenantId)).toBe(1);
    const waiting = await add(tenantId, 4, true);
    // One that is just being taken hears of it when it runs.
    await expect.poll(() => countJobs(job.name, "delayed")).toEqual({ delayed: 4 });
    for (const id of waiting.slice(0, 3)) await cancelTask({ tenantId }, id);
    letGo();
    await expect.poll(() => ended.length).toBe(2);
  });
});

describe("the gate", () => {
  interface Asked {
    rate?: [max: number, perMs: number];
    runs?: number;
    holdMs?: number;
  }
  let told: string[] = [];
  const gate = (tenantId: TenantId, queue: string) => ({
    ask: async (jobId: string, { rate, runs, holdMs = 60_000 }: Asked): Promise<number> => {
      const values = [tenantId, queue, jobId, ...(rate ?? [null, null]), runs ?? null, holdMs];
      const [answer] = await systemQuery<{ waitMs: number; early: string[] }>("test", TENANT_ADMIT, values);
      told = answer?.early ?? [];
      return answer?.waitMs ?? Number.NaN;
    },
    /** Whom the last answer said to call. */
    early: (): string[] => told.toSorted(),
    /** Half a minute goes by since the pace has changed. */
    settle: (): Promise<unknown> =>
      systemQuery(
        "test",
        "update queues.tenant_gate set paced_at = paced_at - interval '1 minute' where tenant_id = $1",
        [tenantId],
      ),
    leave: async (jobId: string, runs: number, isOver = true): Promise<string | null> =>
      (await systemQuery<{ called: string | null }>("test", TENANT_LEAVE, [tenantId, queue, jobId, runs, isOver]))[0]
        ?.called ?? null,
  });

  it("promises each job a time of its own, evenly and by the database's clock", async () => {
    const tenantId = newTenant();
    const { ask } = gate(tenantId, "test:rate");
    const rate: Asked = { rate: [2, 2_000_000] };
    expect(await ask("a", rate)).toBe(0);
    const waits = [await ask("b", rate), await ask("c", rate), await ask("b", rate)];
    for (const [index, gapMs] of [1_000_000, 2_000_000, 1_000_000].entries()) {
      expect(waits[index]).toBeLessThanOrEqual(gapMs);
      expect(waits[index]).toBeGreaterThan(gapMs - 120_000);
    }
    // Its time has come: by the database's clock, whatever that of the process says.
    const values = [tenantId];
    await systemQuery(
      "test",
      "update queues.tenant_gate set last_at = now() - interval '1 day' where tenant_id = $1",
      values,
    );
    await systemQuery("test", "update queues.tenant_run set at = now() where job_id = 'b' and tenant_id = $1", values);
    expect(await ask("b", rate)).toBe(0);
    expect(await ask("c", rate)).toBeGreaterThan(0);
  });

  it("spaces what waits anew when the rate is another, in its order, and tells once of what may come sooner", async () => {
    const tenantId = newTenant();
    const { ask, early, settle } = gate(tenantId, "test:paces");
    const hour = 3_600_000;
    const [slow, fast]: [Asked, Asked] = [{ rate: [1, 10 * hour] }, { rate: [1, hour] }];
    expect(await ask("a", slow)).toBe(0);
    for (const job of ["b", "c", "d", "e"]) await ask(job, slow);
    const about = (hours: number) => expect.closeTo(hours * hour, -6) as number;
    expect([await ask("f", fast), early()]).toEqual([about(5), ["b", "c"]]);
    expect([await ask("b", fast), early()]).toEqual([about(1), ["d", "e"]]);
    expect([await ask("e", fast), early()]).toEqual([about(4), []]);
    // Another version of the app that runs beside changes nothing for now, and what it says later holds.
    expect(await ask("e", slow)).toEqual(about(4));
    await settle();
    expect([await ask("g", slow), early()]).toEqual([about(60), []]);
    expect(await ask("b", slow)).toEqual(about(10));
    await settle();
    // No rate any more: nobody waits.
    expect([await ask("h", {}), early()]).toEqual([0, ["b", "c"]]);
    expect(await ask("c", {})).toBe(0);
  });

  it("may promise a time that is further away than a number of 32 bits counts in milliseconds", async () => {
    const tenantId = newTenant();
    const { ask } = gate(tenantId, "test:far");
    const rate: Asked = { rate: [1, 3_600_000] };
    expect(await ask("a", rate)).toBe(0);
    await systemQuery(
      "test",
      "update queues.tenant_gate set next_at = now() + interval '60 days' where tenant_id = $1",
      [tenantId],
    );
    expect(await ask("b", rate)).toBe(2 ** 31 - 1);
  });

  it("counts no run whose time is over, and a job that is taken again by nobody's leave has its own place", async () => {
    const { ask } = gate(newTenant(), "test:runs");
    const one: Asked = { runs: 1 };
    expect(await ask("dead", { ...one, holdMs: 0 })).toBe(0);
    expect(await ask("a", one)).toBe(0);
    expect(await ask("b", one)).toBeGreaterThan(0);
    expect(await ask("a", one)).toBe(0);
  });

  it("offers a place to the one that waits the longest, and keeps the order of those that were passed over", async () => {
    const { ask, leave } = gate(newTenant(), "test:order");
    const one: Asked = { runs: 1 };
    expect(await ask("a", one)).toBe(0);
    for (const job of ["b", "c"]) expect(await ask(job, one)).toBeGreaterThan(0);
    expect(await leave("a", 1)).toBe("b");
    // Another was quicker than the one that was called.
    expect(await ask("d", one)).toBe(0);
    expect(await ask("b", one)).toBeGreaterThan(0);
    expect(await leave("d", 1)).toBe("b");
    expect(await ask("b", one)).toBe(0);
    expect(await leave("b", 1, false)).toBe("c");
  });
});
