// Jobs by the clock. A schedule is a row; whoever finds it due moves it on to its next tick and enqueues the job, in one transaction,
// so a tick has one run over all processes, or none when it is called off, whoever is killed when. What is due is the database's to
// say: processes whose clocks differ wait for longer or shorter, and never run a tick early or twice. A tick that cannot be taken,
// or whose payload this version does not know, stays due for others and is left alone here for half a minute. Not BullMQ's
// schedulers: they go by the clock of the process that ran last, and the chain of their runs can end (taskforcesh/bullmq #3499).
//
//   stopped → looking   startSchedules(), and whenever a schedule is declared here
//   looking → waiting   until the next tick, or a look at what others have declared
//   any → stopped       stopSchedules(): resolves when the look at hand is over
import { DbError } from "../db/errors";
import { idFromParts } from "../db/ids";
import { systemQuery, withSystem, type Tx } from "../db/tenant";
import { errors } from "../events/errors";
import { PAYLOAD_BYTES_MAX } from "../events/outbox";
import { logger } from "../telemetry/logger";
import { enqueue } from "./enqueue";
import type { JobDefinition } from "./job";
import { faultOf, nextTickMs, type ScheduleSpec } from "./next-tick";
import * as store from "./store/schedule";

const LOOK_MS = 5_000;
/** By one look. */
const TAKE_MAX = 50;
/** Others hold what is due. */
const BUSY_MS = 250;
/** A schedule whose tick could not be taken here. */
const ASIDE_MS = 30_000;
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
  /** Runs the job by a five-field cron pattern. Throws RangeError for what is none, or never comes; APIError payload_too_large. */
  cron(id: string, pattern: string, payload: Payload, options?: ScheduleOptions): Promise<void>;
  remove(id: string): Promise<void>;
}

/** Jobs whose ticks this process takes: those it has declared schedules of. */
const known = new Map<string, JobDefinition>();
/** Schedules that could not be taken here, until when (performance.now()): of at most as many as there are. */
const aside = new Map<string, { job: string; name: string; untilMs: number }>();
let looking: Promise<void> | undefined;
/** Since the look at hand began. */
let isAskedAgain = false;
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
    checkSize(job.name, fit);
    await withSystem("job-schedules", async (tx) => {
      const now = await store.clockRead(tx);
      const nextMs = nextTickMs(spec, now, now);
      await store.scheduleUpsert(tx, { job: job.name, name, spec, missed, payload: fit, nextMs });
    });
    aside.delete(keyOf({ job: job.name, name }));
    lookSoon(0);
  };
  return {
    every: (id, ms, payload, { missed } = {}) => upsert(id, { everyMs: ms }, missed, payload),
    cron: (id, pattern, payload, { zone = "UTC", missed } = {}) => upsert(id, { pattern, zone }, missed, payload),
    remove: (id) => withSystem("job-schedules", (tx) => store.scheduleDelete(tx, job.name, id)),
  };
}

const keyOf = ({ job, name }: { job: string; name: string }): string => `${job} ${name}`;

/** What the outbox would refuse at every tick. */
function checkSize(type: string, payload: unknown): void {
  const bytes = Buffer.byteLength(JSON.stringify(payload ?? null));
  if (bytes <= PAYLOAD_BYTES_MAX) return;
  const facts = { type, bytes: String(bytes), bytesMax: String(PAYLOAD_BYTES_MAX) };
  throw errors.payload_too_large({
    facts,
    internal: `the payload of a schedule of ${type} has ${bytes} bytes of JSON`,
  });
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
  // While one look hangs none is begun beside it: it looks again when it is over.
  if (looking !== undefined) {
    isAskedAgain = true;
    return;
  }
  clearTimeout(timer);
  timer = setTimeout(() => void lookAndWait(), afterMs).unref();
}

async function lookAndWait(): Promise<void> {
  let waitMs = LOOK_MS;
  isAskedAgain = false;
  looking = (async () => {
    waitMs = await takeTicks();
  })().catch((error: unknown) => logger("queues").warn({ err: error }, "schedules could not be looked at"));
  await looking;
  looking = undefined;
  lookSoon(isAskedAgain ? 0 : waitMs);
}

/** Enqueues what is due; resolves with the milliseconds until somebody has to look again. */
export async function takeTicks(): Promise<number> {
  const jobs = [...known.keys()];
  if (jobs.length === 0) return LOOK_MS;
  const [row] = await systemQuery<{ ms: number | null }>("job-schedules", store.SCHEDULES_WAIT, [jobs, ...leftAlone()]);
  const ms = row?.ms ?? LOOK_MS;
  if (ms > 0) return Math.min(Math.ceil(ms), LOOK_MS);
  for (let taken = 0; taken < TAKE_MAX; taken++) if (!(await takeNext(jobs))) return taken === 0 ? BUSY_MS : 0;
  return 0;
}

/** Each in a transaction of its own, so that one that fails takes no other with it. False when there is none that nobody holds. */
async function takeNext(jobs: readonly string[]): Promise<boolean> {
  let schedule: store.ScheduleRow | undefined;
  try {
    await withSystem("job-schedules", async (tx) => {
      schedule = await store.scheduleClaim(tx, jobs, ...leftAlone());
      if (schedule !== undefined) await takeTick(tx, schedule);
    });
  } catch (error) {
    // It is the database that fails, not the schedule.
    if (schedule === undefined || (error instanceof DbError && error.kind === "unavailable")) throw error;
    const { job, name } = schedule;
    aside.set(keyOf(schedule), { job, name, untilMs: performance.now() + ASIDE_MS });
    logger("queues").error({ err: error, job, schedule: name }, "a schedule's tick could not be taken");
  }
  return schedule !== undefined;
}

/** Jobs and names of those that are aside. */
function leftAlone(): [jobs: string[], names: string[]] {
  for (const [key, { untilMs }] of aside) if (untilMs <= performance.now()) aside.delete(key);
  const left = [...aside.values()];
  return [left.map(({ job }) => job), left.map(({ name }) => name)];
}

/** Throws ZodError for a payload that this version does not take: another may. */
async function takeTick(tx: Tx, schedule: store.ScheduleRow): Promise<void> {
  const job = known.get(schedule.job);
  if (job === undefined) return;
  const now = await store.clockRead(tx);
  const isMissed = now - schedule.nextMs > MISSED_MS;
  if (!isMissed || schedule.missed === "once") {
    const dedupeKey = idFromParts("schedule", schedule.job, schedule.name, String(schedule.nextMs));
    await enqueue(tx, job, job.payload.parse(schedule.payload), { tenantId: null, dedupeKey });
  }
  await store.scheduleAdvance(tx, schedule, nextTickMs(schedule.spec, schedule.nextMs, now));
}
