// Workers: run a job's handler for each job that is due.
import type { TenantId } from "../security/principal";

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
