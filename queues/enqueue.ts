// Enqueuing through the outbox: a job exists if and only if the transaction that wanted it committed.
import type { TenantId } from "../security/principal";
import { idFromParts, newId } from "../db/ids";
import type { Tx } from "../db/tenant";
import { appendToOutbox } from "../events/outbox";
import type { JobDefinition } from "./job";

export interface EnqueueOptions {
  /** Same job, tenant and key → one job, for as long as the outbox remembers. See idempotencyKey. */
  dedupeKey?: string;
  /** Not before this many milliseconds after the commit. */
  delayMs?: number;
  /** Needed only in a system transaction; null for work of the platform itself. */
  tenantId?: TenantId | null;
}

/** Name of the outbox header that carries EnqueueOptions.delayMs. */
export const DELAY_HEADER = "job-delay-ms";
/** Outbox destination of jobs. */
export const JOB_DESTINATION = "job";

/** Asks for a job in the caller's transaction; resolves with the job's id. Throws ZodError when the payload does not fit. */
export async function enqueue<Payload>(
  tx: Tx,
  job: JobDefinition<Payload>,
  payload: Payload,
  options: EnqueueOptions = {},
): Promise<string> {
  const tenantId = options.tenantId === undefined ? tx.tenantId : options.tenantId;
  const id =
    options.dedupeKey === undefined ? newId() : idFromParts("job", job.name, tenantId ?? "", options.dedupeKey);
  const delay: Record<string, string> =
    options.delayMs === undefined ? {} : { [DELAY_HEADER]: String(options.delayMs) };
  // Its row in queues.task is made with it, by the database (migration 34).
  return appendToOutbox(tx, {
    id,
    destination: JOB_DESTINATION,
    tenantId,
    // Jobs have no order among themselves: each is its own aggregate.
    aggregateType: "job",
    aggregateId: id,
    type: job.name,
    version: 1,
    payload: job.payload.parse(payload),
    headers: delay,
  });
}
