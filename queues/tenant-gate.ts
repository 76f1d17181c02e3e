// Rates and numbers of runs of each tenant, over all processes. BullMQ's open edition has limits for a whole queue only, so whoever
// has taken a job that declares some asks the database (migrations 46 and 85) before it runs, and puts it back with a delay when it may
// not begin; that is no attempt. Nothing runs hot, however many wait: a rate promises each job a time of its own, so it is put back once,
// and once more where another rate is declared and it may come sooner or must wait longer; what
// waits for the end of another run is called by it, one for each end, and looks again by itself the more seldom the more wait.
// A place belongs to its job: of a process that was killed, the job takes it again where it runs next, and others have it at
// the latest when the job's time would have been up.
// What users of others report, and what is made of it: BullMQ had limits by group in delayed jobs that came back all at once,
// "inaccurate and CPU intensive" (taskforcesh/bullmq #1455), waking all who wait for a place that one gets is the cost to
// avoid (#909), and a worker that was killed left its group counted as full (#3929; rails/solid_queue #546; firecrawl #1197); in River what is
// snoozed uses up attempts (riverqueue/river #961).
import { DelayedError } from "bullmq";
import { systemQuery } from "../db/tenant";
import { removeEach, removeInBatches } from "../db/upkeep";
import { logger } from "../telemetry/logger";
import type { TakenJob } from "./bull";
import { CANCELED_HEADER, openEnvelope } from "./envelope";
import type { JobDefinition } from "./job";
import { noteUnasked } from "./job-notes";
import { TENANT_ADMIT, TENANT_CALLED, TENANT_LEAVE, tenantGatePurge, tenantRunPurge } from "./store/tenant-gate";

/** Whose the jobs are that belong to no tenant. */
const NO_TENANT = "00000000-0000-0000-0000-000000000000";
/** Beyond its time limit a run is as good as dead. */
const HOLD_EXTRA_MS = 60_000;
const ASK_AGAIN_MS = 1_000;
/** Jobs that are gone, which a place may be offered to before one is found that is there. */
const CALLS_MAX = 20;

interface Admission {
  waitMs: number;
  refusals: number;
  /** Jobs that may come before the time that they were put back for. */
  early: readonly string[];
}

export interface GatedRun<T> {
  /** Is told how often the job was taken before and put back. */
  run(refusals: number): Promise<T>;
  /** Whether no further attempt follows the error that `run` has rejected with. */
  isOver(error: unknown): boolean;
  /** Lets another job, that waits for this one's end, come at once; false when there is no such job any more. */
  call(jobId: string): Promise<boolean>;
}

/** Runs when the job's tenant may begin one; else puts it back and throws DelayedError. */
export async function throughGate<T>(job: JobDefinition, taken: TakenJob, gated: GatedRun<T>): Promise<T> {
  if (job.perTenant === undefined) return gated.run(0);
  const { tenantId, headers } = openEnvelope(taken.data);
  const tenant = tenantId ?? NO_TENANT;
  // One that was called off only tells its owner.
  const admission = CANCELED_HEADER in headers ? FREE : await ask(job, tenant, taken);
  const { waitMs, refusals, early } = admission;
  if (admission === UNASKED) await noteUnasked(taken);
  await callEarly(job, early, gated.call);
  if (waitMs > 0) {
    await putBack(job, taken, waitMs, gated.call);
    throw new DelayedError();
  }
  let isOver = true;
  try {
    return await gated.run(refusals);
  } catch (error) {
    isOver = gated.isOver(error);
    throw error;
  } finally {
    await leave(job, tenant, { jobId: taken.id ?? "", isOver }, gated.call);
  }
}

/** Who is called before it is back cannot be brought forward: it looks once more when it is. */
async function putBack(
  job: JobDefinition,
  taken: TakenJob,
  waitMs: number,
  call: GatedRun<unknown>["call"],
): Promise<void> {
  await taken.moveToDelayed(Date.now() + waitMs, taken.token);
  if (job.perTenant?.concurrency === undefined || taken.id === undefined) return;
  try {
    const called = await systemQuery("queue-gate", TENANT_CALLED, [job.name, taken.id]);
    if (called.length > 0) await call(taken.id);
  } catch (error) {
    logger("queues").warn({ err: error, job: job.name }, "a job that was called waits until it comes by itself");
  }
}

/** Never rejects: who is not called comes when it was promised to. */
async function callEarly(job: JobDefinition, early: readonly string[], call: GatedRun<unknown>["call"]): Promise<void> {
  for (const jobId of early)
    await call(jobId).catch((error: unknown) =>
      logger("queues").warn({ err: error, job: job.name }, "a job that may come early waits for the time it was given"),
    );
}

const FREE: Admission = { waitMs: 0, refusals: 0, early: [] };
/** When nobody can be asked. */
const UNASKED: Admission = { waitMs: ASK_AGAIN_MS, refusals: 0, early: [] };

async function ask(job: JobDefinition, tenant: string, taken: TakenJob): Promise<Admission> {
  const { limit, concurrency } = job.perTenant ?? {};
  const rate = [limit?.max ?? null, limit?.perMs ?? null];
  const values = [tenant, job.name, taken.id, ...rate, concurrency ?? null, job.timeoutMs + HOLD_EXTRA_MS];
  try {
    const [answer] = await systemQuery<Admission>("queue-gate", TENANT_ADMIT, values);
    return answer ?? UNASKED;
  } catch (error) {
    logger("queues").warn({ err: error, job: job.name }, "nobody can say whether a job may begin: it is asked again");
    return UNASKED;
  }
}

/** Never rejects: it is made up for. A run counts no longer than its time, and who waits comes back by itself. */
async function leave(
  job: JobDefinition,
  tenant: string,
  first: { jobId: string; isOver: boolean },
  call: GatedRun<unknown>["call"],
): Promise<void> {
  try {
    let leaving = first;
    for (let calls = 0; calls < CALLS_MAX; calls++) {
      const values = [tenant, job.name, leaving.jobId, job.perTenant?.concurrency ?? null, leaving.isOver];
      const [row] = await systemQuery<{ called: string | null }>("queue-gate", TENANT_LEAVE, values);
      const called = row?.called ?? null;
      if (called === null || (await call(called))) return;
      leaving = { jobId: called, isOver: true };
    }
  } catch (error) {
    logger("queues").warn({ err: error, job: job.name }, "the end of a run could not be noted");
  }
}

/** No job waits for its attempt for longer. */
const KEEP_DAYS = 8;
const UPKEEP = { statementTimeoutMs: 30_000, totalMs: 60_000, batchMax: 5_000 };

/** Forgets runs of jobs that are gone, and tenants that have none; resolves with how many of each. */
export function purgeGates(): Promise<{ runs: number; gates: number }> {
  return removeEach({
    runs: () => removeInBatches("queue-gate", UPKEEP, (tx, limit) => tenantRunPurge(tx, KEEP_DAYS, limit)),
    gates: () => removeInBatches("queue-gate", UPKEEP, (tx, limit) => tenantGatePurge(tx, KEEP_DAYS, limit)),
  });
}
