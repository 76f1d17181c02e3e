// Where lines go: standard error, all lines of one turn of the event loop in one write. The write is finished
// before the next turn, so that a line is there when its request has been answered, and a crash loses none.
import { pino } from "pino";

export interface Sink {
  write(line: string): void;
}

/** Characters after which a turn's lines are written without waiting for its end. */
const BATCH_MAX = 16_000;

let shared: Sink | undefined;

/** The one sink of this process on standard error. */
export function standardError(): Sink {
  if (shared) return shared;
  const destination = pino.destination({ dest: 2, sync: true, minLength: BATCH_MAX });
  let pending = false;
  const flush = (): void => {
    pending = false;
    try {
      destination.flushSync();
    } catch {
      // Standard error is gone: there is nobody left to tell.
    }
  };
  process.once("exit", flush);
  shared = {
    write(line) {
      destination.write(line);
      if (pending) return;
      pending = true;
      setImmediate(flush);
    },
  };
  return shared;
}
