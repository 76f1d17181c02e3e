// Fields that every log line of a piece of work carries. Requests need none of this: their fields are
// read off Encore's request when a line is written; jobs and consumers set theirs here.
import { AsyncLocalStorage } from "node:async_hooks";

export interface LogFields {
  tenantId?: string;
  userId?: string;
  jobId?: string;
  requestId?: string;
}

const storage = new AsyncLocalStorage<Readonly<LogFields>>();

/** Runs `fn` so that its log lines carry `fields` on top of those already set. */
export function withLogFields<T>(fields: LogFields, fn: () => T): T {
  return storage.run({ ...storage.getStore(), ...fields }, fn);
}

export function currentLogFields(): Readonly<LogFields> | undefined {
  return storage.getStore();
}
