// What happens once when a job fails for good, however it ended: by its handler, its time, its payload, or the death of
// its workers. The dead letter and what the job's owner does about it are one transaction.
import { DbError } from "../db/errors";
import { withSystem, withTenant, type Tx } from "../db/tenant";
import type { TenantId } from "../security/principal";
import { logger } from "../telemetry/logger";
import { withinTime } from "../telemetry/time-limit";
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
 * both happen or neither. Not called for a payload that does not fit. It has twenty seconds. When it throws, or takes longer, the dead
 * letter is written alone; when it is the database that fails, both are tried again for half an hour first.
 */
export type FailureHandler<Payload> = (tx: Tx, payload: Payload, failure: JobFailure) => Promise<void>;

/** Shorter than the database lets a transaction wait for its next statement: that end would look like a database that is away. */
const HOOK_MS = 20_000;
/** A job comes back to be given up once a minute. */
const HOOK_TIMES = 30;

const AWAY: readonly string[] = ["unavailable", "pool_exhausted", "lock_timeout"] satisfies DbError["kind"][];

/** Whether it may go well a little later. */
export const isAway = (error: unknown): boolean => error instanceof DbError && AWAY.includes(error.kind);

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
  const tell = (tx: Tx): Promise<void> => withinTime(onFailed(tx, fit.data, failure), HOOK_MS);
  await (tenantId === null ? withSystem("job-dead-letter", tell) : withTenant({ tenantId }, tell));
}

/**
 * Writes the dead letter and runs `onFailed` beside it. Rejects when the database is away: both are then tried again. `times`: how
 * often that was.
 */
export async function giveUp<Payload>(
  job: JobDefinition<Payload>,
  onFailed: FailureHandler<Payload> | undefined,
  bullJob: BullJob,
  { times, ...how }: Pick<JobFailure, "reason" | "error" | "attempts"> & { times: number },
): Promise<void> {
  const { payload, tenantId, headers } = openEnvelope(bullJob.data);
  const failure: JobFailure = { ...how, tenantId, jobId: bullJob.id ?? "" };
  const letter = { ...failure, queue: job.name, payload, headers };
  const fit = job.payload.safeParse(payload);
  if (onFailed === undefined || !fit.success) return buryJob(letter);
  try {
    await buryJob(letter, (tx) => withinTime(onFailed(tx, fit.data, failure), HOOK_MS));
  } catch (error) {
    if (isAway(error) && times < HOOK_TIMES) throw error;
    logger("queues").error(
      { err: error, job: job.name, jobId: failure.jobId },
      "onFailed failed: see the dead letters",
    );
    await buryJob(letter);
  }
}
