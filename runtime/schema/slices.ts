// Large texts are read and written in slices, between which the event loop turns. All of them share one slice a turn, however
// many there are: it is the loop that is kept free, not the single request.
import { AsyncResource } from "node:async_hooks";
import { readerOf, type JsonReader } from "./json-reader";
import { Pace, PAUSED, type Paused } from "./pace";

/** How long all sliced work together may hold the event loop at a time. */
const SLICE_MS = 8;
/** Texts up to this length are read at once: the worst of them take a few milliseconds. */
export const LARGE_CHARS = 32 << 10;
/** Values up to about this many parts are written at once. */
const PARTS_AT_ONCE = 5000;

const waiting: ((deadline: number) => void)[] = [];
let isTurning = false;

function turn(): void {
  isTurning = false;
  const deadline = performance.now() + SLICE_MS;
  try {
    do waiting.shift()?.(deadline);
    while (waiting.length > 0 && performance.now() < deadline);
  } finally {
    schedule();
  }
}

function schedule(): void {
  if (isTurning || waiting.length === 0) return;
  isTurning = true;
  setImmediate(turn);
}

export interface Outcome<T> {
  done(value: T): void;
  failed(error: unknown): void;
}

/** Calls `work` until it is done, a slice in each of the next turns of the event loop; it and the outcome in this async context. */
export function inSlices<T>(pace: Pace, work: () => T | Paused, outcome: Outcome<T>): void {
  const slice = AsyncResource.bind((deadline: number): void => {
    pace.begin(deadline);
    let value: T | Paused;
    try {
      value = work();
    } catch (error) {
      return outcome.failed(error);
    }
    if (value === PAUSED) waiting.push(slice);
    else outcome.done(value);
  });
  waiting.push(slice);
  schedule();
}

/** Reads a large text in slices. */
export function readInSlices<T>(
  text: Buffer | string,
  read: (reader: JsonReader) => T | Paused,
  outcome: Outcome<T>,
): void {
  const pace = new Pace();
  let reader: JsonReader | undefined;
  const work = (): T | Paused => {
    if (!reader) {
      reader = readerOf(text);
      reader.pace = pace;
    }
    return read(reader);
  };
  inSlices(pace, work, outcome);
}

let spare: Pace | undefined;

/** A first slice of `work`, at once; `after` is called for one that leaves something to do. */
function firstSlice<T>(work: (pace: Pace) => T | Paused, after: (pace: Pace) => void): T | Paused {
  const pace = spare ?? new Pace();
  // Work can lead to other work, by an accessor of a value that is written: that one takes another pace.
  spare = undefined;
  pace.beginWith(PARTS_AT_ONCE);
  const value = work(pace);
  // The first slice of the rest comes in the loop's next turn: an immediate of this one follows without a pause.
  if (value === PAUSED) setImmediate(after, pace);
  else spare = pace;
  return value;
}

/** Does `work` at once when there is little of it, else what is left of it in slices. */
export function atOnceOrInSlices<T>(work: (pace: Pace) => T | Paused, outcome: Outcome<T>): void {
  let value: T | Paused;
  try {
    value = firstSlice(work, (pace) => inSlices(pace, () => work(pace), outcome));
  } catch (error) {
    return outcome.failed(error);
  }
  if (value !== PAUSED) outcome.done(value);
}

/** The same for one who waits: the value, or a promise of it where there is much to do. Throws or rejects with what `work` throws. */
export function nowOrLater<T extends Exclude<unknown, Promise<unknown>>>(
  work: (pace: Pace) => T | Paused,
): T | Promise<T> {
  let outcome: Outcome<T> | undefined;
  const value = firstSlice(work, (pace) => inSlices(pace, () => work(pace), outcome!));
  return value === PAUSED ? new Promise<T>((done, failed) => (outcome = { done, failed })) : value;
}
