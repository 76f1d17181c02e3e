// Jobs that failed for good: kept with reason and trace, and sent again through the outbox when somebody says so.
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { newId } from "../db/ids";
import { withSystem, withTenant, type Tx } from "../db/tenant";
import { removeInBatches } from "../db/upkeep";
import { DEAD_LETTER_DAYS, traceIdOf } from "../events/dead-letters";
import { appendToOutbox } from "../events/outbox";
import { deadLettersTotal } from "../telemetry/metrics";
import type { TenantId } from "../security/principal";
import { JOB_DESTINATION } from "./enqueue";
import { jobDeadLetters } from "./store/dead-letter";

const redriven = defineAction("queues.dead_letter.redriven", { job: "plain", jobId: "plain" });

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

/** Enqueues a dead letter's job once more, under a new id. False when there is no open one of that id in the transaction's scope. */
export async function redriveJob(tx: Tx, deadLetterId: string): Promise<boolean> {
  const letter = await jobDeadLetters.takeForRedrive(tx, deadLetterId);
  if (!letter) return false;
  const id = newId();
  await appendToOutbox(tx, {
    id,
    destination: JOB_DESTINATION,
    tenantId: letter.tenantId,
    aggregateType: "job",
    aggregateId: id,
    type: letter.source,
    version: 1,
    payload: letter.payload,
    headers: letter.headers,
  });
  const fields = { job: letter.source, jobId: letter.messageId };
  await record(tx, redriven, { target: { type: "dead_letter", id: deadLetterId }, fields });
  return true;
}

const UPKEEP = { statementTimeoutMs: 30_000, totalMs: 100_000, batchMax: 5_000 };

/** Deletes dead letters past their retention; resolves with how many went. */
export function purgeDeadJobs(): Promise<number> {
  return removeInBatches("job-dead-letter-purge", UPKEEP, (tx, limit) =>
    jobDeadLetters.purge(tx, DEAD_LETTER_DAYS, limit),
  );
}
