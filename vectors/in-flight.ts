// Contents this process is embedding right now, so that two jobs whose documents share a text do not both pay for
// it. Across processes the database decides: the later result finds the row filled and is dropped.

export class InFlight {
  private readonly busy = new Set<string>();
  private readonly waiting = new Set<() => void>();

  /** Those of `items` nobody is at, now taken; give them back with release(). */
  take<T extends { hash: string }>(scope: string, items: readonly T[]): T[] {
    const free = items.filter(({ hash }) => !this.busy.has(`${scope}:${hash}`));
    for (const { hash } of free) this.busy.add(`${scope}:${hash}`);
    return free;
  }

  release(scope: string, items: readonly { hash: string }[]): void {
    for (const { hash } of items) this.busy.delete(`${scope}:${hash}`);
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }

  /** Resolves when somebody has released something, or the signal aborts: whoever holds a content may hang. */
  released(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
