// The job that drives a saga on. Each version of each definition has a queue of its own: a process that does not know a
// version has no worker for it, and leaves it to those that do.
import { z } from "zod";
import type { RetryPolicy } from "../queues/conventions";
import { defineJob, type JobDefinition } from "../queues/job";
import type { Saga } from "./definition";

/** Of the drive, not of a step: the database may be away for half an hour; after that the look at what is overdue drives on. */
const RETRY: RetryPolicy = { attempts: 40, firstDelayMs: 1_000, maxDelayMs: 60_000, jitter: 0.5 };
/** Longest time of a timer. */
const TIMER_MAX_MS = 2 ** 31 - 1;
const BETWEEN_STEPS_MS = 10_000;

const payload = z.object({ sagaId: z.uuid() });

export type SagaJob = JobDefinition<z.infer<typeof payload>>;

export function jobOf({ name, version }: Pick<Saga, "name" | "version">, timeoutMs = TIMER_MAX_MS): SagaJob {
  const [domain = "", action = ""] = name.split(":");
  return defineJob({ name: `${domain}:saga-${action}-v${version}`, payload, retry: RETRY, timeoutMs });
}

/** One drive goes once through the steps and once through the undos, at most. */
export function driveTimeoutMs({ steps }: Saga): number {
  const ofSteps = steps.reduce((sum, { timeoutMs }) => sum + 2 * (timeoutMs + BETWEEN_STEPS_MS), 60_000);
  return Math.min(ofSteps, TIMER_MAX_MS);
}
