// What jobs promise on every backend: each suite that imports this runs it on the one its process is configured for.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { QueueKind } from "../../config/queue-set";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { appendToOutbox } from "../../events/outbox";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { runRelayAndWorkers } from "../../testing";
import { cancelTask } from "../cancel";
import { redriveJobs } from "../dead-letters";
import { enqueue, JOB_DESTINATION } from "../enqueue";
import { defineJob } from "../job";
import { announceWork } from "../bull";
import { queueNameOf, RETRY } from "../conventions";
import type { JobData } from "../envelope";
import { countJobs, jobOptions, makeQueue } from "../factory";
import { runJob } from "../run-job";
import { RunningJobs } from "../running-jobs";
import {
  makeScheduler,
  makeWorker,
  UnrecoverableJobError,
  type FailureHandler,
  type JobContext,
  type JobFailure,
} from "../worker";

const tenantId = tenantIdFrom(newId());
const quick = { attempts: 3, firstDelayMs: 1, maxDelayMs: 5, jitter: 0 };
const payload = z.object({ n: z.number() });
const runs: { job: string; n: number; ctx: JobContext }[] = [];

function testJob(
  name: string,
  act: (n: number, ctx: JobContext) => Promise<void> | void,
  { onFailed, ...extra }: { timeoutMs?: number; kind?: QueueKind; onFailed?: FailureHandler<{ n: number }> } = {},
) {
  const job = defineJob({ name, payload, retry: quick, timeoutMs: 5_000, ...extra });
  makeWorker(
    job,
    async ({ n }, ctx) => {
      runs.push({ job: name, n, ctx });
      await act(n, ctx);
    },
    onFailed ? { onFailed } : {},
  );
  return job;
}

const failures: { n: number; failure: JobFailure; tenantId: string | null; letters: number }[] = [];
/** Sees the dead letter that is not committed yet: it acts in the same transaction. */
const noteFailure: FailureHandler<{ n: number }> = async (tx, { n }, failure) => {
  const letters = await tx.query("select 1 from queues.dead_letter where job_id = $1", [failure.jobId]);
  failures.push({ n, failure, tenantId: tx.tenantId, letters: letters.length });
};

export const steady = testJob("test:steady", () => undefined);
const flaky = testJob("test:flaky", (_n, ctx) => {
  if (ctx.attempt < 3) throw new Error("not yet");
});
const broken = testJob("test:broken", () => {
  throw new Error("always");
});
const hopeless = testJob("test:hopeless", () => {
  throw new UnrecoverableJobError("no such document");
});
const slow = testJob(
  "test:slow",
  (_n, ctx) => new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(new Error("stopped")))),
  { timeoutMs: 30, onFailed: noteFailure },
);
const deaf = testJob("test:deaf", () => new Promise(() => undefined), { timeoutMs: 30, onFailed: noteFailure });
const careless = testJob(
  "test:careless",
  () => {
    throw new UnrecoverableJobError("no such document");
  },
  { onFailed: () => Promise.reject(new Error("the hook is broken too")) },
);
const delayed = testJob("test:delayed", () => undefined, { onFailed: noteFailure });
const scheduled = testJob("test:scheduled", () => undefined);
const held = { now: 0, most: 0 };
let letGo = (): void => undefined;
const gone = new Promise<void>((resolve) => (letGo = resolve));
const ofKind = testJob(
  "test:of-kind",
  async () => {
    held.most = Math.max(held.most, ++held.now);
    await gone;
    held.now--;
  },
  { kind: "import" },
);

const runsOf = (name: string) => runs.filter((run) => run.job === name);
const deadLettersOf = (name: string) =>
  systemQuery<{ id: string; job_id: string; reason: string; error: string; attempts: number; tenant_id: string }>(
    "test",
    "select id, job_id, reason, error, attempts, tenant_id from queues.dead_letter where queue = $1 and redriven_at is null",
    [name],
  );

runRelayAndWorkers();

describe("a job", () => {
  it("runs once after the transaction that enqueued it, with its payload, tenant and id", async () => {
    const id = await withTenant({ tenantId }, (tx) => enqueue(tx, steady, { n: 1 }));
    await expect.poll(() => runsOf("test:steady").length).toBe(1);
    expect(runsOf("test:steady")[0]).toMatchObject({ n: 1, ctx: { tenantId, jobId: id, attempt: 1 } });
  });

  it("does not exist when the transaction rolled back or its payload does not fit", async () => {
    const before = runsOf("test:steady").length;
    await withTenant({ tenantId }, async (tx) => {
      await enqueue(tx, steady, { n: 2 });
      throw new Error("no");
    }).catch(() => undefined);
    await expect(
      withTenant({ tenantId }, (tx) => enqueue(tx, steady, { n: "three" as unknown as number })),
    ).rejects.toThrow();
    await withTenant({ tenantId }, (tx) => enqueue(tx, steady, { n: 4 }));
    await expect.poll(() => runsOf("test:steady").length).toBe(before + 1);
    expect(runsOf("test:steady").at(-1)?.n).toBe(4);
  });

  it("is one job for one dedupe key of one tenant", async () => {
    const before = runsOf("test:steady").length;
    const other = tenantIdFrom(newId());
    const ids = [
      await withTenant({ tenantId }, (tx) => enqueue(tx, steady, { n: 5 }, { dedupeKey: "same" })),
      await withTenant({ tenantId }, (tx) => enqueue(tx, steady, { n: 6 }, { dedupeKey: "same" })),
      await withTenant({ tenantId: other }, (tx) => enqueue(tx, steady, { n: 7 }, { dedupeKey: "same" })),
    ];
    expect(new Set(ids).size).toBe(2);
    await expect.poll(() => runsOf("test:steady").length).toBe(before + 2);
  });

  it("runs as often at once as the queue set has slots for its kind", async () => {
    // The last slot is for a tenant that has fewer than another.
    for (const of of [tenantId, tenantIdFrom(newId())])
      await withTenant({ tenantId: of }, async (tx) => {
        for (let n = 0; n < 2; n++) await enqueue(tx, ofKind, { n });
      });
    await expect.poll(() => countJobs("test:of-kind", "active", "prioritized")).toEqual({ active: 2, prioritized: 2 });
    await expect.poll(() => held.now).toBe(2); // a job is active before its handler begins
    letGo();
    await expect.poll(() => countJobs("test:of-kind", "completed")).toEqual({ completed: 4 });
    expect(held.most).toBe(2);
  });

  it("that is delayed is handed over when its time has come by the database's clock, or as soon as it is called off", async () => {
    const delayMs = 3_600_000;
    const later = (n: number): Promise<string> =>
      withTenant({ tenantId }, (tx) => enqueue(tx, delayed, { n }, { delayMs }));
    const [due, off] = [await later(1), await later(2)];
    const waits = await systemQuery<{ id: string; ms: number }>(
      "test",
      `select id, (extract(epoch from next_attempt_at - created_at) * 1000)::float8 as ms from events.outbox
        where id = any($1::uuid[]) and published_at is null`,
      [[due, off]],
    );
    expect(waits.length).toBe(2);
    for (const { ms } of waits) expect(Math.abs(ms - delayMs)).toBeLessThan(60_000);
    await cancelTask({ tenantId }, off);
    await expect
      .poll(() => failures.filter(({ failure }) => failure.jobId === off))
      .toMatchObject([{ n: 2, failure: { reason: "canceled" }, letters: 0 }]);
    expect(runsOf(delayed.name)).toEqual([]);
    await systemQuery("test", "update events.outbox set next_attempt_at = now() where id = $1", [due]);
    await expect.poll(() => runsOf(delayed.name).map(({ n }) => n)).toEqual([1]);
    await expect(withTenant({ tenantId }, (tx) => enqueue(tx, delayed, { n: 3 }, { delayMs: -1 }))).rejects.toThrow(
      "a job cannot be delayed by -1 ms",
    );
  });

  it("is tried again by its retry table until it succeeds", async () => {
    await withTenant({ tenantId }, (tx) => enqueue(tx, flaky, { n: 1 }));
    await expect.poll(() => runsOf("test:flaky").map((run) => run.ctx.attempt)).toEqual([1, 2, 3]);
    await expect.poll(() => countJobs("test:flaky", "completed")).toEqual({ completed: 1 });
    expect(await deadLettersOf("test:flaky")).toEqual([]);
  });

  it("becomes a dead letter after its last attempt, and runs again when it is redriven", async () => {
    const jobId = await withTenant({ tenantId }, (tx) => enqueue(tx, broken, { n: 1 }));
    await expect
      .poll(() => deadLettersOf("test:broken"))
      .toEqual([
        expect.objectContaining({
          job_id: jobId,
          reason: "attempts_exhausted",
          error: "Error: always",
          attempts: 3,
          tenant_id: tenantId,
        }),
      ]);
    expect(runsOf("test:broken").length).toBe(3);
    await expect
      .poll(() => countJobs("test:broken", "failed", "delayed", "waiting"))
      .toEqual({ failed: 1, delayed: 0, waiting: 0 });

    const [letter] = await deadLettersOf("test:broken");
    const redrive = (of: TenantId) =>
      withTenant({ tenantId: of }, (tx) => redriveJobs(tx, { tenantId: of, filter: { ids: [letter?.id ?? ""] } }));
    expect(await redrive(tenantIdFrom(newId()))).toEqual({ count: 0, isMore: false });
    expect(await redrive(tenantId)).toEqual({ count: 1, isMore: false });
    expect(await systemQuery("test", "select action from audit.entry where target_id = $1", [letter?.id])).toEqual([
      { action: "queues.dead_letter.redriven" },
    ]);
    await expect.poll(() => runsOf("test:broken").length).toBe(6);
  });

  it("is given up at once when the handler says nothing can help", async () => {
    await withTenant({ tenantId }, (tx) => enqueue(tx, hopeless, { n: 1 }));
    await expect.poll(() => deadLettersOf("test:hopeless")).toMatchObject([{ reason: "unrecoverable", attempts: 1 }]);
    expect(runsOf("test:hopeless").length).toBe(1);
  });

  it("is aborted when its time is up, which counts as a failed attempt", async () => {
    await withTenant({ tenantId }, (tx) => enqueue(tx, slow, { n: 1 }));
    await expect
      .poll(() => deadLettersOf("test:slow"))
      .toMatchObject([{ error: "JobTimeoutError: job test:slow took longer than 30 ms" }]);
  });

  it.each([
    ["listens", slow],
    ["does not listen", deaf],
  ])(
    "whose handler %s when its last attempt's time is up is given up, and its owner told in one transaction",
    async (_how, job) => {
      const jobId = await withTenant({ tenantId }, (tx) => enqueue(tx, job, { n: 2 }));
      const told = () => failures.filter(({ failure }) => failure.jobId === jobId);
      await expect.poll(told).toMatchObject([
        {
          n: 2,
          failure: { reason: "attempts_exhausted", attempts: 3, tenantId },
          tenantId,
          letters: 1,
        },
      ]);
      await expect.poll(() => deadLettersOf(job.name)).toContainEqual(expect.objectContaining({ job_id: jobId }));
    },
  );

  it("is a dead letter also when its owner's hook fails", async () => {
    const jobId = await withTenant({ tenantId }, (tx) => enqueue(tx, careless, { n: 1 }));
    await expect.poll(() => deadLettersOf(careless.name)).toMatchObject([{ job_id: jobId }]);
  });

  it.each([
    ["nothing", {}],
    ["a tenant that is none", { payload: { n: 1 }, tenantId: "nobody", headers: {} }],
  ])("that holds %s, as another version may have written it, is a dead letter", async (_what, data) => {
    const jobId = newId();
    const opts = { ...jobOptions(), jobId };
    await (await makeQueue(steady.name)).addBulk([{ name: steady.name, data: data as JobData, opts }]);
    announceWork(queueNameOf(steady.name));
    await expect
      .poll(() => deadLettersOf(steady.name))
      .toContainEqual(expect.objectContaining({ job_id: jobId, reason: "payload_invalid", tenant_id: null }));
  });

  it.each([
    ["listens", true],
    ["does not listen", false],
  ])(
    "that the end of its process cuts short runs elsewhere, also at its last attempt, if it %s",
    async (_how, listens) => {
      const name = `test:cut-short-${listens ? "listening" : "deaf"}`;
      const job = defineJob({ name, payload, retry: RETRY.once, timeoutMs: 60_000 });
      const attempts: number[] = [];
      const ending = makeWorker(job, (_payload, { signal, attempt }) => {
        attempts.push(attempt);
        return new Promise<void>((_resolve, reject) => {
          if (listens) signal.addEventListener("abort", () => reject(new Error("stopped")));
        });
      });
      await ending.start();
      await withTenant({ tenantId }, (tx) => enqueue(tx, job, { n: 1 }));
      await expect.poll(() => attempts).toEqual([1]);
      await ending.stop(true);
      const none = { failed: 0, delayed: 0, active: 0 };
      await expect.poll(() => countJobs(name, "failed", "delayed", "active")).toEqual(none);
      const other = makeWorker(job, (_payload, { attempt }) => Promise.resolve(void attempts.push(attempt)));
      await other.start();
      await expect.poll(() => countJobs(name, "completed")).toEqual({ completed: 1 });
      await other.stop();
      expect(attempts).toEqual([1, 1]);
      expect(await deadLettersOf(name)).toEqual([]);
    },
  );

  it("that ends every process it is taken by fails at last", async () => {
    const job = defineJob({ name: "test:ends-processes", payload, retry: RETRY.once, timeoutMs: 60_000 });
    const running = new RunningJobs();
    running.stop();
    const backs: number[] = [];
    const take = (attemptsStarted: number): Promise<unknown> => {
      const data = { payload: { n: 1 }, tenantId, headers: {} };
      const moveToWait = (): Promise<void> => Promise.resolve(void backs.push(attemptsStarted));
      const taken = { id: newId(), name: job.name, data, attemptsMade: 0, attemptsStarted, timestamp: Date.now() };
      const ignore = (): Promise<void> => Promise.resolve();
      const others = { moveToDelayed: ignore, updateProgress: ignore, updateData: ignore };
      const handler = (): Promise<void> => Promise.resolve();
      return runJob(job, { handler, running }, { ...taken, moveToWait, ...others });
    };
    expect(await take(30)).toBe("given_back");
    await expect(take(31)).rejects.toThrow("the process is stopping");
    expect(backs).toEqual([30]);
    expect(await deadLettersOf(job.name)).toMatchObject([{ reason: "attempts_exhausted" }]);
  });

  it("whose payload only another version takes is left to that one, as no attempt", async () => {
    const facts = { name: "test:rolling", retry: RETRY.once, timeoutMs: 5_000 };
    const older = defineJob({ ...facts, payload });
    const newer = defineJob({ ...facts, payload: z.object({ n: z.union([z.number(), z.literal("many")]) }) });
    const ran: unknown[] = [];
    const old = makeWorker(older, async ({ n }) => void ran.push(["old", n]));
    await old.start();
    const ids = await withTenant({ tenantId }, async (tx) => [
      await enqueue(tx, newer, { n: "many" }),
      await enqueue(tx, newer, { n: 1 }),
    ]);
    await expect.poll(() => countJobs(facts.name, "delayed", "completed")).toEqual({ delayed: 1, completed: 1 });
    expect(ran).toEqual([["old", 1]]);
    await old.stop();
    const next = makeWorker(newer, async ({ n }, { attempt }) => void ran.push(["next", n, attempt]));
    await next.start();
    await (await (await makeQueue(facts.name)).getJob(ids[0] ?? ""))?.promote();
    announceWork(queueNameOf(facts.name));
    await expect.poll(() => countJobs(facts.name, "completed")).toEqual({ completed: 2 });
    await next.stop();
    expect([ran.at(-1), await deadLettersOf(facts.name)]).toEqual([["next", "many", 1], []]);
  });

  it("is given up at once when what is stored does not fit", async () => {
    const id = newId();
    await withTenant({ tenantId }, (tx) =>
      appendToOutbox(tx, {
        id,
        destination: JOB_DESTINATION,
        tenantId,
        aggregateType: "job",
        aggregateId: id,
        type: "test:steady",
        version: 1,
        payload: { n: "x" },
        headers: {},
      }),
    );
    await expect
      .poll(() => deadLettersOf("test:steady"))
      .toContainEqual(expect.objectContaining({ job_id: id, reason: "payload_invalid", tenant_id: tenantId }));
  });
});

describe("a schedule", () => {
  it("runs its job again and again, without a tenant, until it is removed", async () => {
    const scheduler = makeScheduler(scheduled);
    await scheduler.every("tick", 100, { n: 8 });
    await expect.poll(() => runsOf("test:scheduled").length).toBeGreaterThanOrEqual(2);
    expect(runsOf("test:scheduled")[0]).toMatchObject({ n: 8, ctx: { tenantId: null } });
    await scheduler.remove("tick");
    const schedules = await systemQuery("test", "select 1 from queues.schedule where job = 'test:scheduled'");
    expect(schedules).toEqual([]);
  });
});
