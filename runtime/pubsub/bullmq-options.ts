// How messages become BullMQ jobs and subscriptions BullMQ workers, the same on every transport.
import type { JobsOptions, WorkerOptions } from "bullmq";
import { HANDLED_KEPT, type BrokerTimings, type ConsumeOptions } from "./broker";

/** The subscription decides when to give up, not the job: its policy may change while messages wait. */
const ATTEMPTS_MAX = 1_000_000_000;

const common = {
  attempts: ATTEMPTS_MAX,
  backoff: { type: "custom" },
  removeOnFail: false,
  stackTraceLimit: 1,
} satisfies JobsOptions;

export const redisJobOptions = (id: string): JobsOptions => ({
  ...common,
  jobId: id,
  removeOnComplete: { count: HANDLED_KEPT },
});

/** Handled messages are trimmed now and then: at every message it would be a search each. */
export const postgresJobOptions: JobsOptions = { ...common, removeOnComplete: false };

const IDLE_SECONDS = 60;

export function workerOptions(options: ConsumeOptions, timings: BrokerTimings): Omit<WorkerOptions, "connection"> {
  return {
    concurrency: options.concurrency,
    lockDuration: timings.lockMs,
    stalledInterval: timings.lostCheckMs,
    maxStalledCount: options.lostDeliveriesMax,
    runRetryDelay: timings.reconnectMs,
    drainDelay: IDLE_SECONDS,
    settings: { backoffStrategy: (failures) => options.backoffMs(failures) },
  };
}
