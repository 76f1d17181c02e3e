// Jobs by the clock. A schedule is a row; whoever finds it due moves it on to its next tick and enqueues the job, in one transaction,
// so a tick has one run over all processes, or none when it is called off, whoever is killed when. What is due is the database's to
// say: processes whose clocks differ wait for longer or shorter, and never run a tick early or twice. Not BullMQ's
// schedulers: they go by the clock of the process that ran last, and the chain of their runs can end (taskforcesh/bullmq #3499).
//
//   stopped → looking   startSchedules(), and whenever a schedule is declared here
//   looking → waiting   until the next tick, or a look at what others have declared
//   any → stopped       stopSchedules(): resolves when the look at hand is over
import { idFromParts } from "../db/ids";
import { systemQuery, withSystem, type Tx } from "../db/tenant";
import { logger } from "../telemetry/logger";
import { enqueue } from "./enqueue";
import type { JobDefinition } from "./job";
import { faultOf, nextTickMs, type ScheduleSpec } from "./next-tick";
import * as store from "./store/schedule";

const LOOK_MS = 5_000;
const CLAIM_MAX = 50;
/** A tick that is later than this was missed: nobody was there to take it. */
const MISSED_MS = 60_000;

export interface ScheduleOptions {
  /** IANA's name of the zone that a pattern is meant in; UTC unless told. */
  zone?: string;
  /** What becomes of ticks at which no process ran: one run for all of them, as soon as one does ("once"), or none ("skip"). */
  missed?: store.Missed;
}

export interface JobScheduler<Payload> {
  /** Runs the job every `ms` milliseconds, one run over all processes. The same id again replaces the schedule. */
  every(id: string, ms: number, payload: Payload, options?: Omit<ScheduleOptions, "zone">): Promise<void>;
  /** Runs the job by a five-field cron pattern. Throws RangeError for what is none, or never comes. */
  cron(id: string, pattern: string, payload: Payload, options?: ScheduleOptions): Promise<void>;
  remove(id: string): Promise<void>;
}

/** Jobs whose ticks this process takes: those it has declared schedules of. */
const known = new Map<string, JobDefinition>();
let looking: Promise<void> | undefined;
let timer: NodeJS.Timeout | undefined;
let isRunning = false;

/** Schedules of a job. Its runs belong to no tenant. */
export function makeScheduler<Payload>(job: JobDefinition<Payload>): JobScheduler<Payload> {
  known.set(job.name, job);
  const upsert = async (
    name: string,
    spec: ScheduleSpec,
    missed: store.Missed = "once",
    payload: Payload,
  ): Promise<void> => {
    const fault = faultOf(spec);
    if (fault !== undefined) throw new RangeError(`schedule "${name}" of ${job.name}: ${fault}`);
    const fit: unknown = job.payload.parse(payload);
    await withSystem("job-schedules", async (tx) => {
      const now = await store.clockRead(tx);
      const nextMs = nextTickMs(spec, now, now);
      await store.scheduleUpsert(tx, { job: job.name, name, spec, missed, payload: fit, nextMs });
    });
    lookSoon(0);
  };
  return {
    every: (id, ms, payload, { missed } = {}) => upsert(id, { everyMs: ms }, missed, payload),
    cron: (id, pattern, payload, { zone = "UTC", missed } = {}) => upsert(id, { pattern, zone }, missed, payload),
    remove: (id) => withSystem("job-schedules", (tx) => store.scheduleDelete(tx, job.name, id)),
  };
}

/** Takes ticks from now on. */
export function startSchedules(): void {
  if (isRunning) return;
  isRunning = true;
  lookSoon(0);
}

/** Takes no more; resolves when the look at hand is over. */
export async function stopSchedules(): Promise<void> {
  isRunning = false;
  clearTimeout(timer);
  timer = undefined;
  await looking;
}

function lookSoon(afterMs: number): void {
  if (!isRunning) return;
  clearTimeout(timer);
  timer = setTimeout(() => void lookAndWait(), afterMs).unref();
}

async function lookAndWait(): Promise<void> {
  if (looking !== undefined) return lookSoon(1);
  let waitMs = LOOK_MS;
  looking = (async () => {
    waitMs = await takeTicks();
  })().catch((error: unknown) => logger("queues").warn({ err: error }, "schedules could not be looked at"));
  await looking;
  looking = undefined;
  lookSoon(waitMs);
}

/** Enqueues what is due; resolves with the milliseconds until somebody has to look again. */
export async function takeTicks(): Promise<number> {
  const jobs = [...known.keys()];
  if (jobs.length === 0) return LOOK_MS;
  const [row] = await systemQuery<{ ms: number | null }>("job-schedules", store.SCHEDULES_WAIT, [jobs]);
  const ms = row?.ms ?? LOOK_MS;
  if (ms > 0) return Math.min(Math.ceil(ms), LOOK_MS);
  await withSystem("job-schedules", async (tx) => {
    for (const schedule of await store.scheduleClaim(tx, jobs, CLAIM_MAX)) await takeTick(tx, schedule);
  });
  return 0;
}

async function takeTick(tx: Tx, schedule: store.ScheduleRow): Promise<void> {
  const now = await store.clockRead(tx);
  await store.scheduleAdvance(tx, schedule, nextTickMs(schedule.spec, schedule.nextMs, now));
  const isMissed = now - schedule.nextMs > MISSED_MS;
  const job = known.get(schedule.job);
  if (job === undefined || (isMissed && schedule.missed === "skip")) return;
  const payload = job.payload.safeParse(schedule.payload);
  if (!payload.success) {
    // Another version's, which will have its next tick.
    logger("queues").error({ err: payload.error, job: job.name, schedule: schedule.name }, "a schedule does not fit");
    return;
  }
  const dedupeKey = idFromParts("schedule", schedule.job, schedule.name, String(schedule.nextMs));
  await enqueue(tx, job, payload.data, { tenantId: null, dedupeKey });
}
