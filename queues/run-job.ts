// One run of one job: its trace, its time limit, its outcome.
import { UnrecoverableError } from "bullmq";
import type { TenantId } from "../security/principal";
import { causedBy, provenanceOf } from "../security/provenance";
import { errorText } from "../telemetry/error-text";
import { logger } from "../telemetry/logger";
import { continueTrace } from "../telemetry/tracing";
import type { BullJob } from "./bull";
import { openEnvelope } from "./envelope";
import { giveUp, type FailureHandler } from "./final-failure";
import type { JobDefinition } from "./job";
import { observeRun } from "./observability";
import type { RunningJobs } from "./running-jobs";

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
}

/** Does the work. Must be idempotent: it may run again after a crash. Throw UnrecoverableJobError to skip the remaining attempts. */
export type JobHandler<Payload> = (payload: Payload, ctx: JobContext) => Promise<void>;

/** Thrown by a handler when no further attempt can help. */
export class UnrecoverableJobError extends Error {
  override readonly name: string = "UnrecoverableJobError";
  readonly reason: string = "unrecoverable";
}

class UnfitJobError extends UnrecoverableJobError {
  override readonly name = "UnfitJobError";
  override readonly reason = "payload_invalid";
}

/** Who runs the job, and what follows when it fails for good. */
export interface JobRunner<Payload> {
  handler: JobHandler<Payload>;
  onFailed?: FailureHandler<Payload> | undefined;
  running: RunningJobs;
}

interface Run<Payload> {
  payload: Payload;
  context: Omit<JobContext, "signal">;
}

/**
 * Runs the handler under the job's trace and time limit. A failure that is final is written to the dead
 * letters before BullMQ hears of it, so that a crash in between loses neither; then BullMQ's
 * UnrecoverableError ends the job.
 */
export function runJob<Payload>(
  job: JobDefinition<Payload>,
  runner: JobRunner<Payload>,
  bullJob: BullJob,
): Promise<void> {
  const { headers, tenantId } = openEnvelope(bullJob.data);
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
      try {
        const { payload, context } = toRun(job, bullJob);
        await causedBy({ id: jobId, headers }, () =>
          runner.running.within(job.timeoutMs, job.name, (signal) => runner.handler(payload, { ...context, signal })),
        );
      } catch (error) {
        throw await settleFailure(job, runner.onFailed, bullJob, error);
      }
    }),
  );
}

/** Throws UnfitJobError when what was stored is not what the job takes. */
function toRun<Payload>(job: JobDefinition<Payload>, bullJob: BullJob): Run<Payload> {
  const { payload: stored, tenantId, headers, fault } = openEnvelope(bullJob.data);
  if (fault !== undefined) throw new UnfitJobError(`job ${job.name} ${bullJob.id}: ${fault}`);
  const payload = job.payload.safeParse(stored);
  if (!payload.success) throw new UnfitJobError(`job ${job.name} ${bullJob.id}: ${payload.error.message}`);
  const jobId = bullJob.id ?? "";
  const { actor, correlationId } = provenanceOf({ id: jobId, headers });
  const attempt = bullJob.attemptsMade + 1;
  return { payload: payload.data, context: { tenantId, jobId, attempt, actor, correlationId, traceHeaders: headers } };
}

/** The error to tell BullMQ: as it is while attempts are left, unrecoverable after the dead letter is written. */
async function settleFailure<Payload>(
  job: JobDefinition<Payload>,
  onFailed: FailureHandler<Payload> | undefined,
  bullJob: BullJob,
  error: unknown,
): Promise<unknown> {
  const attempts = bullJob.attemptsMade + 1;
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
  const text = errorText(error);
  await giveUp(job, onFailed, bullJob, { reason, error: text, attempts });
  logger("queues").error({ ...facts, reason }, "a job failed for good: see the dead letters");
  return new UnrecoverableError(text);
}
