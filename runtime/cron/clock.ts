// Time as an argument: tests move it by hand.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `fn` once at or after `atMs`; returns how to call it off. */
  at(atMs: number, fn: () => void): () => void;
}

/** Longest wait that a Node timer can hold. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  at(atMs, fn) {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const waitMs = atMs - Date.now();
      timer = waitMs <= 0 ? setTimeout(fn, 0) : setTimeout(arm, Math.min(waitMs, TIMER_MAX_MS));
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};
