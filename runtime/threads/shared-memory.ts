// The few words of memory that all threads of the process share: who came when, and whose turn it is to write.
import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";

const KEY = "groundwork.threads";
const PLACES = 0;
const LOCK = 1;
/** A thread that was ended while it held the lock does not give it back. */
const LOCK_LIMIT_MS = 1000;

let words: Int32Array | undefined;

/** Threads get it when they are started, so the main one has to ask first. */
function shared(): Int32Array {
  if (words) return words;
  const known = getEnvironmentData(KEY);
  const memory = known instanceof SharedArrayBuffer ? known : new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  if (memory !== known) setEnvironmentData(KEY, memory);
  return (words = new Int32Array(memory));
}

/** A number of its own for every thread that asks: 0, 1, 2 … */
export function takePlace(): number {
  return Atomics.add(shared(), PLACES, 1);
}

/** Does `work` while no other thread of the process does any. */
export function oneAtATime(work: () => void): void {
  const lock = shared();
  while (Atomics.compareExchange(lock, LOCK, 0, 1) !== 0) {
    if (Atomics.wait(lock, LOCK, 1, LOCK_LIMIT_MS) === "timed-out") break;
  }
  try {
    work();
  } finally {
    Atomics.store(lock, LOCK, 0);
    Atomics.notify(lock, LOCK, 1);
  }
}
