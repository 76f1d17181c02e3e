// How an idle consumer learns of a message without asking the database all the time. Three sources, fastest
// first: a publisher in this process says so, another process's NOTIFY, and one slow query for all idle
// queues together. A counter per queue closes the gap between "found nothing" and "waits".

interface Waiter {
  finish(woken: boolean): void;
}

export class Wakeups {
  readonly #signals = new Map<string, number>();
  readonly #waiters = new Map<string, Set<Waiter>>();

  /** To be read before looking for a message; `wait` returns at once if a signal came since. */
  signals(queue: string): number {
    return this.#signals.get(queue) ?? 0;
  }

  signal(queue: string): void {
    this.#signals.set(queue, this.signals(queue) + 1);
    for (const waiter of this.#waiters.get(queue) ?? []) waiter.finish(true);
  }

  signalAll(): void {
    for (const queue of [...this.#waiters.keys()]) this.signal(queue);
  }

  /** Queues that somebody waits for. */
  idle(): string[] {
    return [...this.#waiters.keys()];
  }

  /** Resolves true on a signal later than `seen`, false after `timeoutMs` or when `aborted`. */
  wait(queue: string, seen: number, timeoutMs: number, aborted: AbortSignal): Promise<boolean> {
    if (aborted.aborted) return Promise.resolve(false);
    if (this.signals(queue) !== seen) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        finish: (woken) => {
          clearTimeout(timer);
          aborted.removeEventListener("abort", stop);
          this.#remove(queue, waiter);
          resolve(woken);
        },
      };
      const stop = (): void => waiter.finish(false);
      const timer = setTimeout(stop, timeoutMs);
      aborted.addEventListener("abort", stop);
      const waiters = this.#waiters.get(queue) ?? new Set();
      this.#waiters.set(queue, waiters.add(waiter));
    });
  }

  #remove(queue: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(queue);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(queue);
  }
}
