// What is known of jobs while they run and wait: outcome, duration and waiting time of each run, depth of each queue.
import {
  errorsTotal,
  jobDurationSeconds,
  jobsTotal,
  jobWaitSeconds,
  observeGauge,
  type Reading,
} from "../telemetry/metrics";
import type { BullJob, BullQueue } from "./bull";

const DEPTH_STATES = ["waiting", "prioritized", "active", "delayed", "failed"] as const;

/** How a run ended that has not failed; given back: another process runs the job, because this one stops or its version can't. */
export type RunOutcome = "completed" | "given_back";

/** Runs `run` and records how it went. */
export async function observeRun(jobName: string, job: BullJob, run: () => Promise<RunOutcome>): Promise<RunOutcome> {
  const startedAt = performance.now();
  if (job.attemptsMade === 0)
    jobWaitSeconds.record(Math.max(0, Date.now() - job.timestamp - (job.delay ?? 0)) / 1000, { job: jobName });
  let outcome: RunOutcome | "failed" = "failed";
  try {
    return (outcome = await run());
  } catch (error) {
    errorsTotal.add(1, { type: "job" });
    throw error;
  } finally {
    jobsTotal.add(1, { job: jobName, outcome });
    jobDurationSeconds.record((performance.now() - startedAt) / 1000, { job: jobName });
  }
}

/** Reports the depth of a queue by state; returns the function that ends it. */
export function observeDepth(queue: BullQueue): () => void {
  return observeGauge("queue_depth", async (): Promise<Reading[]> => {
    const counts = await queue.getJobCounts(...DEPTH_STATES);
    return DEPTH_STATES.map((state) => ({ value: counts[state] ?? 0, labels: { queue: queue.name, state } }));
  });
}
