// Whoever asks a part that may hang asks it with a limit.

/** Named as the platform names it (DOMException), by which callers are answered with `request_timeout`. */
export class TimeLimitError extends Error {
  override readonly name = "TimeoutError";
}

/** Settles as `work` does, or rejects with TimeLimitError after `limitMs`; the work itself goes on, its late answer is ignored. */
export async function withinTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeLimitError(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether `work` ended within `limitMs`; it goes on if not. Rejects as the work does. */
export async function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Settles as `work`, or rejects with the signal's reason as soon as it aborts, whether or not `work` listens: the reason comes before
 * what work that listens throws. Nothing stays on the signal.
 */
export async function untilAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([aborted, (async () => work())()]);
  } finally {
    if (onAbort) signal.removeEventListener("abort", onAbort);
  }
}
