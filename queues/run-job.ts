// One run of one job: its trace, its time limit, its outcome.
import { UnrecoverableError } from "bullmq";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import { continueTrace } from "../telemetry/tracing";
import type { BullJob } from "./bull";
import { buryJob } from "./dead-letters";
import { jobEnvelope } from "./envelope";
import type { JobDefinition } from "./job";
import { observeRun } from "./observability";

export interface JobContext {
  readonly tenantId: TenantId | null;
  readonly jobId: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborts when the job's time is up or the process stops without waiting. */
  readonly signal: AbortSignal;
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

class JobTimeoutError extends Error {
  override readonly name = "JobTimeoutError";
}

interface Run<Payload> {
  payload: Payload;
  context: JobContext;
}

/**
 * Runs the handler under the job's trace and time limit. A failure that is final is written to the dead
 * letters before BullMQ hears of it, so that a crash in between loses neither; then BullMQ's
 * UnrecoverableError ends the job. `stop` aborts the run from outside.
 */
export function runJob<Payload>(
  job: JobDefinition<Payload>,
  handler: JobHandler<Payload>,
  bullJob: BullJob,
  stop: AbortSignal,
): Promise<void> {
  const headers = bullJob.data.headers;
  const jobId = bullJob.id ?? "";
  const options = {
    kind: "consumer" as const,
    attributes: {
      "messaging.operation.type": "process",
      "messaging.message.id": jobId,
      "messaging.destination.name": job.name,
      "queue.attempt": bullJob.attemptsMade + 1,
    },
    log: { jobId, ...(bullJob.data.tenantId === null ? {} : { tenantId: bullJob.data.tenantId }) },
  };
  return continueTrace(headers, `job ${job.name}`, options, () =>
    observeRun(job.name, bullJob, async () => {
      try {
        const run = toRun(job, bullJob, stop);
        await withinTime(job, run, stop, handler);
      } catch (error) {
        throw await settleFailure(job, bullJob, error);
      }
    }),
  );
}

/** Throws UnfitJobError when what was stored is not what the job takes. */
function toRun<Payload>(job: JobDefinition<Payload>, bullJob: BullJob, signal: AbortSignal): Run<Payload> {
  const envelope = jobEnvelope.safeParse(bullJob.data);
  if (!envelope.success) throw new UnfitJobError(`job ${job.name} ${bullJob.id}: ${envelope.error.message}`);
  const payload = job.payload.safeParse(envelope.data.payload);
  if (!payload.success) throw new UnfitJobError(`job ${job.name} ${bullJob.id}: ${payload.error.message}`);
  const { tenantId, headers } = envelope.data;
  return {
    payload: payload.data,
    context: { tenantId, jobId: bullJob.id ?? "", attempt: bullJob.attemptsMade + 1, signal, traceHeaders: headers },
  };
}

async function withinTime<Payload>(
  job: JobDefinition<Payload>,
  run: Run<Payload>,
  stop: AbortSignal,
  handler: JobHandler<Payload>,
): Promise<void> {
  const limit = new AbortController();
  const timer = setTimeout(
    () => limit.abort(new JobTimeoutError(`job ${job.name} took longer than ${job.timeoutMs} ms`)),
    job.timeoutMs,
  );
  const signal = AbortSignal.any([limit.signal, stop]);
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  try {
    await Promise.race([handler(run.payload, { ...run.context, signal }), aborted]);
  } finally {
    clearTimeout(timer);
  }
}

/** The error to tell BullMQ: as it is while attempts are left, unrecoverable after the dead letter is written. */
async function settleFailure<Payload>(job: JobDefinition<Payload>, bullJob: BullJob, error: unknown): Promise<unknown> {
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
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  await buryJob({
    queue: job.name,
    jobId: bullJob.id ?? "",
    tenantId: bullJob.data.tenantId as TenantId | null,
    payload: bullJob.data.payload,
    headers: bullJob.data.headers,
    reason,
    error: text,
    attempts,
  });
  logger("queues").error({ ...facts, reason }, "a job failed for good: see the dead letters");
  return new UnrecoverableError(text);
}
