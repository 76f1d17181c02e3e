// Where lines go: standard error, all lines of one turn of the event loop in one write. The write is finished
// before the next turn, so that a line is there when its request has been answered, and a crash loses none. Threads of
// one process write one after the other: a pipe would mix what is longer than a page.
import { pino } from "pino";
import { oneAtATime } from "../threads";

export interface Sink {
  write(line: string): void;
}

/** Characters after which a turn's lines are written without waiting for its end. */
const BATCH_MAX = 16_000;

let shared: Sink | undefined;

/** The one sink of this process on standard error. Joined here: pino's own batches are ended by an fsync (bench/http). */
export function standardError(): Sink {
  if (shared) return shared;
  const destination = pino.destination({ dest: 2, sync: true });
  let batch = "";
  const flush = (): void => {
    const lines = batch;
    batch = "";
    try {
      if (lines !== "") oneAtATime(() => destination.write(lines));
    } catch {
      // Standard error is gone: there is nobody left to tell.
    }
  };
  process.once("exit", flush);
  shared = {
    write(line) {
      if (batch === "") setImmediate(flush);
      batch += line;
      if (batch.length >= BATCH_MAX) flush();
    },
  };
  return shared;
}
