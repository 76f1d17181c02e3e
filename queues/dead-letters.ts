// Jobs that failed for good: kept with reason and trace, and sent again through the outbox when somebody says so.
import { defineAction } from "../audit/action";
import { newId } from "../db/ids";
import { withSystem, withTenant, type Tx } from "../db/tenant";
import { removeInBatches } from "../db/upkeep";
import { handleLetters, letterFields, type HandledLetters, type WantedLetters } from "../events/dead-letter-desk";
import { DEAD_LETTER_DAYS, shownDeadLetter, traceIdOf, type ListedDeadLetter } from "../events/dead-letters";
import { signalRelay } from "../events/signal";
import { deadLettersTotal } from "../telemetry/metrics";
import type { TenantId } from "../security/principal";
import { JOB_DESTINATION } from "./enqueue";
import { jobDeadLetters } from "./store/dead-letter";

const redriven = defineAction("queues.dead_letter.redriven", letterFields);
const discarded = defineAction("queues.dead_letter.discarded", letterFields);

/** Of a job, as lists show it. */
export function shownJob(row: ListedDeadLetter<object>) {
  const { id, source: job, messageId: jobId, reason, error, traceId, attempts, deadAt } = shownDeadLetter(row);
  return { id, job, jobId, reason, error, traceId, attempts, deadAt };
}

export interface FailedJob {
  /** Job name, "domain:action". */
  queue: string;
  jobId: string;
  tenantId: TenantId | null;
  payload: unknown;
  headers: Record<string, string>;
  /** Why, in one lower_snake word: attempts_exhausted, unrecoverable, payload_invalid, stalled_too_often. */
  reason: string;
  error: string;
  attempts: number;
}

/** Records the job, and runs `beside` in the same transaction; doing so again for the same job does neither. */
export async function buryJob(job: FailedJob, beside?: (tx: Tx) => Promise<void>): Promise<void> {
  const { queue: source, jobId: messageId, ...rest } = job;
  const isNew = await inScopeOf(job.tenantId, async (tx) => {
    const isFirst = await jobDeadLetters.insert(tx, {
      ...rest,
      id: newId(),
      source,
      messageId,
      traceId: traceIdOf(job.headers),
    });
    if (isFirst) await beside?.(tx);
    return isFirst;
  });
  if (isNew) deadLettersTotal.add(1, { source: "queues" });
}

function inScopeOf<T>(tenantId: TenantId | null, fn: (tx: Tx) => Promise<T>): Promise<T> {
  return tenantId === null ? withSystem("job-dead-letter", fn) : withTenant({ tenantId }, fn);
}

/** Enqueues the jobs of open dead letters once more, each under a new id, the oldest first, in the tenant's transaction. */
export function redriveJobs(tx: Tx, wanted: WantedLetters): Promise<HandledLetters> {
  return handleLetters(tx, wanted, jobDeadLetters, redriven, async (ids) => {
    await jobDeadLetters.redrive(tx, ids);
    tx.afterCommit(() => signalRelay(JOB_DESTINATION));
  });
}

/** Closes open dead letters for good: their jobs do not run again. */
export function discardJobs(tx: Tx, wanted: WantedLetters): Promise<HandledLetters> {
  return handleLetters(tx, wanted, jobDeadLetters, discarded, (ids) => jobDeadLetters.discard(tx, ids));
}

const UPKEEP = { statementTimeoutMs: 30_000, totalMs: 100_000, batchMax: 5_000 };

/** Deletes dead letters past their retention; resolves with how many went. */
export function purgeDeadJobs(): Promise<number> {
  return removeInBatches("job-dead-letter-purge", UPKEEP, (tx, limit) =>
    jobDeadLetters.purge(tx, DEAD_LETTER_DAYS, limit),
  );
}
