// The front door for those who run jobs.
export { makeQueue, makeWorker, type JobWorker, type WorkerSettings } from "./factory";
export { enqueueFlow, flowJob, type FlowChild, type FlowJob } from "./flow";
export type { FailureHandler, JobFailure } from "./final-failure";
export { UnrecoverableJobError, type JobContext, type JobHandler } from "./run-job";
export { makeScheduler, type JobScheduler, type ScheduleOptions } from "./schedules";
