// What happens once when a job fails for good, however it ended: by its handler, its time, its payload, or the death of
// its workers. The dead letter and what the job's owner does about it are one transaction.
import { withSystem, withTenant, type Tx } from "../db/tenant";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import type { BullJob } from "./bull";
import { buryJob } from "./dead-letters";
import { openEnvelope } from "./envelope";
import type { JobDefinition } from "./job";

export interface JobFailure {
  readonly tenantId: TenantId | null;
  readonly jobId: string;
  /** attempts_exhausted, unrecoverable, stalled_too_often, canceled. */
  readonly reason: string;
  /** Internal text. */
  readonly error: string;
  readonly attempts: number;
}

/**
 * Acts in the transaction that writes the dead letter, which is the tenant's own (the system's for a job without tenant):
 * both happen or neither. Not called for a payload that does not fit. When it throws, the dead letter is written alone.
 */
export type FailureHandler<Payload> = (tx: Tx, payload: Payload, failure: JobFailure) => Promise<void>;

/** Runs `onFailed` without a dead letter, for a job that was called off. */
export async function tellOwner<Payload>(
  job: JobDefinition<Payload>,
  onFailed: FailureHandler<Payload> | undefined,
  bullJob: BullJob,
  how: Pick<JobFailure, "reason" | "error" | "attempts">,
): Promise<void> {
  const { payload, tenantId } = openEnvelope(bullJob.data);
  const fit = job.payload.safeParse(payload);
  if (onFailed === undefined || !fit.success) return;
  const failure: JobFailure = { ...how, tenantId, jobId: bullJob.id ?? "" };
  const tell = (tx: Tx): Promise<void> => onFailed(tx, fit.data, failure);
  await (tenantId === null ? withSystem("job-dead-letter", tell) : withTenant({ tenantId }, tell));
}

/** Writes the dead letter and runs `onFailed` beside it. Rejects when the database is away: the job is then tried again. */
export async function giveUp<Payload>(
  job: JobDefinition<Payload>,
  onFailed: FailureHandler<Payload> | undefined,
  bullJob: BullJob,
  how: Pick<JobFailure, "reason" | "error" | "attempts">,
): Promise<void> {
  const { payload, tenantId, headers } = openEnvelope(bullJob.data);
  const failure: JobFailure = { ...how, tenantId, jobId: bullJob.id ?? "" };
  const letter = { ...failure, queue: job.name, payload, headers };
  const fit = job.payload.safeParse(payload);
  if (onFailed === undefined || !fit.success) return buryJob(letter);
  try {
    await buryJob(letter, (tx) => onFailed(tx, fit.data, failure));
  } catch (error) {
    logger("queues").error(
      { err: error, job: job.name, jobId: failure.jobId },
      "onFailed failed: see the dead letters",
    );
    await buryJob(letter);
  }
}
