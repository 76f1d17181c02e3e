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
