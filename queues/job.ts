// What a job is: a name, a payload schema and how it may fail. Nothing that runs.
import type { z } from "zod";
import type { QueueKind } from "../config/queue-set";
import { isJobName, RETRY, type RetryPolicy } from "./conventions";

export interface JobDefinition<Payload = unknown> {
  /** "domain:action", e.g. "vectors:embed"; also the name of its queue. */
  readonly name: string;
  readonly payload: z.ZodType<Payload>;
  readonly retry: RetryPolicy;
  /** A run longer than this is aborted (ctx.signal) and counts as a failed attempt. */
  readonly timeoutMs: number;
  /** At most `max` jobs started per `perMs`, over all processes. */
  readonly limit?: { readonly max: number; readonly perMs: number };
  /** What kind of work it is: as many run at once as the queue set says (cfg.queues.set), unless it says so itself. */
  readonly kind?: QueueKind;
  /** Jobs at once in one process; absent = that of its kind, or cfg.queues.concurrency. */
  readonly concurrency?: number;
}

/** Declares a job. Throws at load when the name is not "domain:action". */
export function defineJob<Payload>(definition: {
  name: string;
  payload: z.ZodType<Payload>;
  retry?: RetryPolicy;
  timeoutMs: number;
  limit?: { max: number; perMs: number };
  kind?: QueueKind;
  concurrency?: number;
}): JobDefinition<Payload> {
  if (!isJobName(definition.name))
    throw new TypeError(`job name "${definition.name}" is not of the form domain:action`);
  return Object.freeze({ ...definition, retry: definition.retry ?? RETRY.standard });
}
