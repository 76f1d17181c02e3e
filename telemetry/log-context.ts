// Fields that every log line of a piece of work carries. Requests need none of this: their fields are
// read off Encore's request when a line is written; jobs and consumers set theirs here.
import { AsyncVariable } from "./async-variable";

export interface LogFields {
  tenantId?: string;
  userId?: string;
  jobId?: string;
  requestId?: string;
}

const current = new AsyncVariable<Readonly<LogFields>>();

/** Runs `fn` so that its log lines carry `fields` on top of those already set. */
export function withLogFields<T>(fields: LogFields, fn: () => T): T {
  const known = current.get();
  // Not by spreading, which takes Node 20 two microseconds a field behind the first.
  return current.run(known === undefined ? fields : Object.assign({}, known, fields), fn);
}

export function currentLogFields(): Readonly<LogFields> | undefined {
  return current.get();
}
