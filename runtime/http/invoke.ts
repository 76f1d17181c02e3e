// Calls a handler of the SDK in an async context of its own (G-51): the SDK marks the current request with
// AsyncLocalStorage.enterWith, which must not outlive the request or reach a caller.
import { AsyncResource } from "node:async_hooks";

export interface Outcome {
  done(value: unknown): void;
  failed(thrown: unknown): void;
}

interface Thenable {
  then(done: (value: unknown) => void, failed: (error: unknown) => void): unknown;
}

function isThenable(value: unknown): value is Thenable {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** Calls `handler`; exactly one of the outcome's functions is called, at once or later, outside the new context. */
export function invoke(handler: (...args: unknown[]) => unknown, args: unknown[], outcome: Outcome): void {
  let result: unknown;
  try {
    result = new AsyncResource("ENCOREREQUEST").runInAsyncScope(handler, undefined, ...args);
  } catch (error) {
    outcome.failed(error);
    return;
  }
  if (isThenable(result)) result.then(outcome.done, outcome.failed);
  else outcome.done(result);
}
