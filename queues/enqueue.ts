// Enqueuing through the outbox: a job exists if and only if the transaction that wanted it committed.
import type { TenantId } from "../security/principal";
import { idFromParts, newId } from "../db/ids";
import type { Tx } from "../db/tenant";
import { appendToOutbox } from "../events/outbox";
import { payloadHeader } from "./give-back";
import type { JobDefinition } from "./job";

export interface EnqueueOptions {
  /** Same job, tenant and key → one job, for as long as the outbox remembers. See idempotencyKey. */
  dedupeKey?: string;
  /** Not before so many milliseconds from now, by the database's clock: until then it is in the outbox. At most a year. */
  delayMs?: number;
  /** "high" passes what its own tenant has waiting, and no other tenant's turn. */
  priority?: "normal" | "high";
  /** Needed only in a system transaction; null for work of the platform itself. */
  tenantId?: TenantId | null;
}

/** Outbox header by which versions before this one told delayMs to the queue. */
export const DELAY_HEADER = "job-delay-ms";
/** Outbox header of a job of high priority. */
export const HIGH_HEADER = "job-high";
/** Outbox header of a job whose task nobody cancels (migration 84). */
const KEPT_HEADER = "job-kept";
const DELAY_MAX_MS = 366 * 86_400_000;
/** Outbox destination of jobs. */
export const JOB_DESTINATION = "job";

/**
 * Asks for a job in the caller's transaction; resolves with the job's id. Throws ZodError when the payload does not fit, RangeError
 * for a delay that is none.
 */
export async function enqueue<Payload>(
  tx: Tx,
  job: JobDefinition<Payload>,
  payload: Payload,
  options: EnqueueOptions = {},
): Promise<string> {
  const tenantId = options.tenantId === undefined ? tx.tenantId : options.tenantId;
  const id =
    options.dedupeKey === undefined ? newId() : idFromParts("job", job.name, tenantId ?? "", options.dedupeKey);
  const { delayMs = 0, priority = "normal" } = options;
  if (!(delayMs >= 0 && delayMs <= DELAY_MAX_MS)) throw new RangeError(`a job cannot be delayed by ${delayMs} ms`);
  const headers = {
    ...payloadHeader(job),
    ...(priority === "high" ? { [HIGH_HEADER]: "1" } : {}),
    ...(job.isCancelable === false ? { [KEPT_HEADER]: "1" } : {}),
  };
  return appendJob(tx, { id, job: job.name, tenantId, payload: job.payload.parse(payload), headers, delayMs });
}

interface NewJob {
  id: string;
  job: string;
  tenantId: TenantId | null;
  /** Fits the job. */
  payload: unknown;
  headers: Record<string, string>;
  delayMs?: number;
}

/** Its row in queues.task is made with it, by the database (migration 34). */
export function appendJob(tx: Tx, { job, ...rest }: NewJob): Promise<string> {
  return appendToOutbox(tx, {
    ...rest,
    destination: JOB_DESTINATION,
    // Jobs have no order among themselves: each is its own aggregate.
    aggregateType: "job",
    aggregateId: rest.id,
    type: job,
    version: 1,
  });
}
