// Jobs that failed for good: kept with reason and trace, and sent again through the outbox when somebody says so.
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { appendToOutbox } from "../events/outbox";
import { deadLettersTotal } from "../telemetry/metrics";
import { parseTraceparent } from "../telemetry/tracing";
import type { TenantId } from "../security/principal";
import { JOB_DESTINATION } from "./enqueue";
import { jobDeadLetterInsert, jobDeadLetterMarkRedriven, jobDeadLetterTake } from "./store/dead-letter";

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

/** Records the job; doing so again for the same job changes nothing. */
export async function buryJob(job: FailedJob): Promise<void> {
  const isNew = await withSystem("job-dead-letter", (tx) =>
    jobDeadLetterInsert(tx, {
      id: newId(),
      traceId: parseTraceparent(job.headers.traceparent)?.traceId ?? null,
      ...job,
    }),
  );
  if (isNew) deadLettersTotal.add(1, { source: "queues" });
}

/** Enqueues a dead letter's job once more, under a new id. False when there is no open one of that id in the transaction's scope. */
export async function redriveJob(tx: Tx, deadLetterId: string): Promise<boolean> {
  const letter = await jobDeadLetterTake(tx, deadLetterId);
  if (!letter) return false;
  await jobDeadLetterMarkRedriven(tx, letter.id);
  const id = newId();
  await appendToOutbox(tx, {
    id,
    destination: JOB_DESTINATION,
    tenantId: letter.tenantId,
    aggregateType: "job",
    aggregateId: id,
    type: letter.queue,
    version: 1,
    payload: letter.payload,
    headers: letter.headers,
  });
  return true;
}
