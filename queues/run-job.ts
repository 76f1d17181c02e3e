// One run of one job: its trace, its time limit, its outcome.
import { UnrecoverableError } from "bullmq";
import type { TenantId } from "../security/principal";
import { causedBy, provenanceOf } from "../security/provenance";
import { errorText } from "../telemetry/error-text";
import { logger } from "../telemetry/logger";
import { continueTrace } from "../telemetry/tracing";
import { announceWork, type BullJob, type TakenJob } from "./bull";
import { queueNameOf } from "./conventions";
import { CANCELED_HEADER, FLOW_CHILD_HEADER, FLOW_FAILED_HEADER, openEnvelope, type OpenedEnvelope } from "./envelope";
import { giveUp, isAway, tellOwner, type FailureHandler } from "./final-failure";
import { childrenOf, endChild, type FlowChild } from "./flow";
import { giveBackForLater, isForAnotherVersion, timesGivenBack } from "./give-back";
import type { JobDefinition } from "./job";
import { timesUnasked } from "./job-notes";
import { leaveOver, leftOverOf, type LeftOver } from "./left-over";
import { observeRun, type RunOutcome } from "./observability";
import { ProcessStoppingError, type RunningJobs } from "./running-jobs";
import { resultText } from "./task-text";
import { endTask, flushTasks, RunningTask, TaskCanceledError, taskIdOf } from "./tasks";

const GIVE_BACKS_MAX = 30;
/** A job whose workers died so often is taken to be what kills them. */
const STALLS_MAX = 30;

export interface JobContext {
  readonly tenantId: TenantId | null;
  readonly jobId: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborts when the job's time is up or the process stops without waiting. */
  readonly signal: AbortSignal;
  /** Who caused it: `kind:id` of a principal, or `system…` for what the app did by itself. */
  readonly actor: string;
  /** The same in all that follows from one request. */
  readonly correlationId: string;
  /** W3C trace context of the transaction that enqueued the job. */
  readonly traceHeaders: Readonly<Record<string, string>>;
  /** Of a flow's parent (enqueueFlow): how its children have ended, in their order. */
  children(): Promise<readonly FlowChild[]>;
  /** How far it has come, from 0 to 1: GET /tasks/:id shows it. */
  progress(fraction: number): void;
  /** A line for whoever follows the task: at most 1,000 characters, 200 lines an attempt. Nothing secret. */
  log(text: string): void;
}

/**
 * Does the work; what it resolves with is the task's result (JSON of at most 16 KiB, else none). Must be idempotent: it may run
 * again after a crash. Throw UnrecoverableJobError to skip the remaining attempts.
 */
export type JobHandler<Payload> = (payload: Payload, ctx: JobContext) => Promise<unknown>;

/** Thrown by a handler when no further attempt can help. */
export class UnrecoverableJobError extends Error {
  override readonly name: string = "UnrecoverableJobError";
  readonly reason: string = "unrecoverable";
}

class UnfitJobError extends UnrecoverableJobError {
  override readonly name = "UnfitJobError";
  override readonly reason = "payload_invalid";
}

class ChildFailedError extends UnrecoverableJobError {
  override readonly name = "ChildFailedError";
  override readonly reason = "child_failed";
}

class StalledTooOftenError extends UnrecoverableJobError {
  override readonly name = "StalledTooOftenError";
  override readonly reason = "stalled_too_often";
}

/** It was to be given up before, and the database was away. */
class LeftOverError extends UnrecoverableJobError {
  override readonly name = "LeftOverError";
  override readonly reason: string;

  constructor(readonly leftOver: LeftOver) {
    super(leftOver.error);
    this.reason = leftOver.reason;
  }
}

/** Who runs the job, and what follows when it fails for good. */
export interface JobRunner<Payload> {
  handler: JobHandler<Payload>;
  onFailed?: FailureHandler<Payload> | undefined;
  running: RunningJobs;
}

interface Run<Payload> {
  payload: Payload;
  context: Omit<JobContext, "signal" | "progress" | "log">;
}

/**
 * Runs the handler under the job's trace and time limit. A failure that is final is written to the dead
 * letters before BullMQ hears of it, so that a crash in between loses neither; then BullMQ's
 * UnrecoverableError ends the job. One that the end of this process cut short has not failed: it goes back to its queue, and so does
 * one whose payload another version wrote, for that to run it. `refusals`: how often it was taken and did not run.
 */
export function runJob<Payload>(
  job: JobDefinition<Payload>,
  runner: JobRunner<Payload>,
  bullJob: TakenJob,
  refusals = 0,
): Promise<RunOutcome> {
  const envelope = openEnvelope(bullJob.data);
  const { headers, tenantId } = envelope;
  const jobId = bullJob.id ?? "";
  const options = {
    kind: "consumer" as const,
    attributes: {
      "messaging.operation.type": "process",
      "messaging.message.id": jobId,
      "messaging.destination.name": job.name,
      "queue.attempt": bullJob.attemptsMade + 1,
    },
    log: { jobId, ...(tenantId === null ? {} : { tenantId }) },
  };
  return continueTrace(headers, `job ${job.name}`, options, () =>
    observeRun(job.name, bullJob, async () => {
      const task = taskOf(job, bullJob, envelope);
      const onFailed = hookFor(bullJob, runner);
      try {
        refuseDeadly(job, bullJob);
        refuseCalledOff(headers);
        refuseLeftOver(bullJob);
        const run = toRun(job, bullJob, envelope);
        const result = await causedBy({ id: jobId, headers }, () => runTask(job, runner, run, task));
        if (FLOW_CHILD_HEADER in headers) await endChild(envelope, { state: "completed", result: resultText(result) });
        endTask(task, { state: "completed", result });
        return "completed";
      } catch (error) {
        if (error instanceof TaskCanceledError) {
          await callOff(job, onFailed, bullJob, error);
          await endChild(envelope, { state: "canceled", reason: "canceled" });
          endTask(task, { state: "canceled", reason: "canceled" });
          return "completed";
        }
        const back = wayBackOf(job, bullJob, { error, refusals });
        if (back !== undefined) {
          // Before somebody else takes it: what is written later would be said of their run.
          endTask(task, { state: "waiting", reason: back.reason });
          await flushTasks();
          await back.go().catch((failure: unknown) => tellOfLock(job, failure));
          return "given_back";
        }
        const failure = await settleFailure(job, { bullJob, envelope, onFailed, error });
        const isFinal = failure instanceof UnrecoverableError;
        endTask(task, { state: isFinal ? "failed" : "waiting", reason: reasonFor(error) });
        throw failure;
      } finally {
        // Also when its failure could not be settled: nobody watches it any more.
        task.leave();
      }
    }),
  );
}

/** Throws when workers of this job keep dying: it is given up here, where the dead letter comes before BullMQ hears of it. */
function refuseDeadly({ name }: JobDefinition, { stalledCounter = 0 }: TakenJob): void {
  if (stalledCounter >= STALLS_MAX)
    throw new StalledTooOftenError(`job ${name} stalled ${stalledCounter} times: whoever ran it ended`);
}

/** Throws when all that is left to do is to give the job up. */
function refuseLeftOver(bullJob: TakenJob): void {
  const leftOver = leftOverOf(bullJob);
  if (leftOver !== undefined) throw new LeftOverError(leftOver);
}

/** None where workers died as often again in giving the job up: then the hook is what kills them. */
const hookFor = <Payload>(
  { stalledCounter = 0 }: TakenJob,
  { onFailed }: JobRunner<Payload>,
): FailureHandler<Payload> | undefined => (stalledCounter >= 2 * STALLS_MAX ? undefined : onFailed);

/** Throws when the job is not to run, but to tell its owner why. */
function refuseCalledOff(headers: Readonly<Record<string, string>>): void {
  if (CANCELED_HEADER in headers) throw new TaskCanceledError("the task was canceled before it ran");
  const child = headers[FLOW_FAILED_HEADER];
  if (child !== undefined) throw new ChildFailedError(`job ${child}, which this one waited for, has failed`);
}

/** The run as the registry knows it; it is watched until it ends. */
export function taskOf(
  job: JobDefinition,
  bullJob: BullJob,
  { headers, tenantId }: Pick<OpenedEnvelope, "headers" | "tenantId">,
): RunningTask {
  const jobId = bullJob.id ?? "";
  const { actor } = provenanceOf({ id: jobId, headers });
  const id = taskIdOf(job.name, jobId);
  return new RunningTask({ id, tenantId, job: job.name, attempt: bullJob.attemptsMade + 1, actor });
}

function runTask<Payload>(
  { timeoutMs, name }: JobDefinition<Payload>,
  { handler, running }: JobRunner<Payload>,
  { payload, context }: Run<Payload>,
  task: RunningTask,
): Promise<unknown> {
  const tell = {
    progress: (fraction: number) => task.setProgress(fraction),
    log: (text: string) => task.addLine(text),
  };
  return running.within(timeoutMs, name, (signal) => handler(payload, { ...context, ...tell, signal }), task.run);
}

interface WayBack {
  /** Of the task's state. */
  reason: string;
  go: () => Promise<unknown>;
}

/** How a job goes back to its queue that another process is to run; undefined when it has failed. */
function wayBackOf(
  job: JobDefinition,
  bullJob: TakenJob,
  { error, refusals }: { error: unknown; refusals: number },
): WayBack | undefined {
  if (error instanceof ProcessStoppingError && mayGiveBack(bullJob, refusals)) {
    const toWait = async (): Promise<void> => {
      await bullJob.moveToWait(bullJob.token);
      announceWork(queueNameOf(job.name));
    };
    return { reason: "process_stopping", go: toWait };
  }
  if (error instanceof UnfitJobError && isForAnotherVersion(job, bullJob)) {
    const facts = { err: error, job: job.name, jobId: bullJob.id };
    if (timesGivenBack(bullJob) === 0)
      logger("queues").warn(facts, "a job is left to a version of the app that takes its payload");
    return { reason: "another_version", go: () => giveBackForLater(bullJob) };
  }
  return undefined;
}

/** A job that ends its process itself, or outlives every process, is a failed one at last. */
function mayGiveBack(bullJob: TakenJob, refusals: number): boolean {
  const notRun = refusals + timesGivenBack(bullJob) + timesUnasked(bullJob);
  return (bullJob.attemptsStarted ?? 0) - bullJob.attemptsMade - notRun <= GIVE_BACKS_MAX;
}

/** It stays locked until the lock ends, as the job of a process that was killed. */
const tellOfLock = (job: JobDefinition, error: unknown): void =>
  logger("queues").warn(
    { err: error, job: job.name },
    "a job could not be given back: it runs again when its lock ends",
  );

/**
 * A canceled job is over for BullMQ, and for its owner as if it had failed for good; there is no dead letter to redrive. Rejects
 * when its owner is to be told again: within the job's attempts, and for as long as the database is away.
 */
async function callOff<Payload>(
  job: JobDefinition<Payload>,
  onFailed: FailureHandler<Payload> | undefined,
  bullJob: TakenJob,
  error: TaskCanceledError,
): Promise<void> {
  const attempts = bullJob.attemptsMade + 1;
  try {
    await tellOwner(job, onFailed, bullJob, { reason: "canceled", error: error.message, attempts });
  } catch (failure) {
    const facts = { err: failure, job: job.name, jobId: bullJob.id };
    if (attempts >= job.retry.attempts && !isAway(failure)) {
      logger("queues").error(facts, "onFailed of a canceled job failed: its owner is not told");
      return;
    }
    // Whoever takes it next finds that it is not to run.
    const { data } = bullJob;
    const marked = { ...data, headers: { ...data.headers, [CANCELED_HEADER]: "1" } };
    await bullJob.updateData(marked).catch(() => undefined);
    throw failure;
  }
}

const reasonFor = (error: unknown): string =>
  error instanceof UnrecoverableJobError ? error.reason : "attempts_exhausted";

/** Throws UnfitJobError when what was stored is not what the job takes. */
function toRun<Payload>(job: JobDefinition<Payload>, bullJob: BullJob, envelope: OpenedEnvelope): Run<Payload> {
  const { payload: stored, tenantId, headers, fault } = envelope;
  if (fault !== undefined) throw new UnfitJobError(`job ${job.name} ${bullJob.id}: ${fault}`);
  const payload = job.payload.safeParse(stored);
  if (!payload.success) throw new UnfitJobError(`job ${job.name} ${bullJob.id}: ${payload.error.message}`);
  const jobId = bullJob.id ?? "";
  const { actor, correlationId } = provenanceOf({ id: jobId, headers });
  const attempt = bullJob.attemptsMade + 1;
  const children = (): Promise<readonly FlowChild[]> => childrenOf(envelope);
  const context = { tenantId, jobId, attempt, actor, correlationId, traceHeaders: headers, children };
  return { payload: payload.data, context };
}

interface FailedRun<Payload> {
  bullJob: TakenJob;
  envelope: OpenedEnvelope;
  onFailed: FailureHandler<Payload> | undefined;
  error: unknown;
}

/**
 * The error to tell BullMQ: unrecoverable after the dead letter is written and the flow told, and as it is while attempts are left, or
 * while that cannot be written: then it is tried again, for hours (ATTEMPTS_CEILING), and the handler is not.
 */
async function settleFailure<Payload>(
  job: JobDefinition<Payload>,
  { bullJob, envelope, onFailed, error }: FailedRun<Payload>,
): Promise<unknown> {
  const leftOver = error instanceof LeftOverError ? error.leftOver : undefined;
  const attempts = leftOver?.attempts ?? bullJob.attemptsMade + 1;
  const reason =
    error instanceof UnrecoverableJobError
      ? error.reason
      : attempts >= job.retry.attempts
        ? "attempts_exhausted"
        : null;
  const facts = { err: error, job: job.name, attempt: attempts };
  if (reason === null) {
    logger("queues").warn(facts, "a job failed and will be tried again");
    return error;
  }
  const text = leftOver?.error ?? errorText(error);
  const times = leftOver?.times ?? 0;
  try {
    await giveUp(job, onFailed, bullJob, { reason, error: text, attempts, times });
    await endChild(envelope, { state: "failed", reason });
  } catch (failure) {
    await leaveOver(bullJob, { reason, error: text, attempts, times: times + 1 });
    logger("queues").error({ ...facts, err: failure, reason, failure: text }, "a dead letter could not be written yet");
    return error;
  }
  logger("queues").error({ ...facts, reason }, "a job failed for good: see the dead letters");
  return new UnrecoverableError(text);
}
