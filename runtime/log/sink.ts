// Where lines go: standard error, written in the background so that a slow reader never holds a request up,
// and flushed when the process ends.
import { pino } from "pino";

export interface Sink {
  write(line: string): void;
}

let shared: Sink | undefined;

/** The one sink of this process on standard error. */
export function standardError(): Sink {
  if (shared) return shared;
  const destination = pino.destination({ dest: 2, sync: false, minLength: 0 });
  process.once("exit", () => {
    try {
      destination.flushSync();
    } catch {
      // Standard error is gone: there is nobody left to tell.
    }
  });
  shared = { write: (line) => void destination.write(line) };
  return shared;
}
