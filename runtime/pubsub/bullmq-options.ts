// How messages become BullMQ jobs and subscriptions BullMQ workers, the same on every transport.
import type { JobsOptions, WorkerOptions } from "bullmq";
import { HANDLED_KEPT, type BrokerTimings, type ConsumeOptions } from "./broker";

/** The subscription decides when to give up, not the job: its policy may change while messages wait. */
const ATTEMPTS_MAX = 1_000_000_000;

export function jobOptions(id: string, trims: boolean): JobsOptions {
  return {
    jobId: id,
    attempts: ATTEMPTS_MAX,
    backoff: { type: "custom" },
    removeOnComplete: trims ? { count: HANDLED_KEPT } : false,
    removeOnFail: false,
    stackTraceLimit: 1,
  };
}

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
