// What a job is: a name, a payload schema and how it may fail. Nothing that runs.
import type { z } from "zod";
import type { QueueKind } from "../config/queue-set";
import { isJobName, RETRY, type RetryPolicy } from "./conventions";

/** So many beginnings in a time. */
export interface Rate {
  readonly max: number;
  readonly perMs: number;
}

/** What one tenant may have of a job, over all processes and by the database's clock. */
export interface TenantLimits {
  /** Runs begin evenly: at least perMs / max apart, so never more than `max` in any `perMs`. */
  readonly limit?: Rate;
  /** Runs at once. */
  readonly concurrency?: number;
}

export interface JobDefinition<Payload = unknown> {
  /** "domain:action", e.g. "vectors:embed"; also the name of its queue. */
  readonly name: string;
  readonly payload: z.ZodType<Payload>;
  readonly retry: RetryPolicy;
  /** A run longer than this is aborted (ctx.signal) and counts as a failed attempt. */
  readonly timeoutMs: number;
  /** At most `max` jobs started per `perMs`, over all processes. */
  readonly limit?: Rate;
  /** For each tenant: one that is over it waits, and nobody else with it. */
  readonly perTenant?: TenantLimits;
  /** What kind of work it is: as many run at once as the queue set says (cfg.queues.set), unless it says so itself. */
  readonly kind?: QueueKind;
  /** Jobs at once in one process; absent = that of its kind, or cfg.queues.concurrency. */
  readonly concurrency?: number;
  /** False for what nobody whom it concerns may call off (POST /tasks/:id/cancel): a notice that warns them, a removal. */
  readonly isCancelable?: boolean;
}

/** Declares a job. Throws at load when the name is not "domain:action", or a limit is none. */
export function defineJob<Payload>(definition: {
  name: string;
  payload: z.ZodType<Payload>;
  retry?: RetryPolicy;
  timeoutMs: number;
  limit?: Rate;
  perTenant?: TenantLimits;
  kind?: QueueKind;
  concurrency?: number;
  isCancelable?: boolean;
}): JobDefinition<Payload> {
  if (!isJobName(definition.name))
    throw new TypeError(`job name "${definition.name}" is not of the form domain:action`);
  const { limit, perTenant } = definition;
  const counts = [limit?.max, limit?.perMs, perTenant?.limit?.max, perTenant?.limit?.perMs, perTenant?.concurrency];
  if (counts.some((count) => count !== undefined && !(Number.isInteger(count) && count >= 1)))
    throw new TypeError(`job "${definition.name}" has a limit that is no whole number from 1 on`);
  return Object.freeze({ ...definition, retry: definition.retry ?? RETRY.standard });
}
