// Contents this process is embedding right now, so that two jobs whose documents share a text do not both pay for
// it. Across processes the database decides: the later result finds the row filled and is dropped.

export class InFlight {
  private readonly busy = new Set<string>();
  private readonly waiting = new Set<() => void>();
  /** What was given back since each look that is under way began. */
  private readonly looks = new Set<Set<string>>();

  /**
   * Those that `list` finds missing and nobody is at, now taken; give them back with release(). Empty when nothing is
   * missing; while others are at all that is, it waits for them. What was given back while `list` looked is looked for
   * again, for it may have been filled after the look. Throws what `list` throws and the signal's reason.
   */
  async next<T extends { hash: string }>(
    scope: string,
    list: () => Promise<readonly T[]>,
    signal: AbortSignal,
  ): Promise<T[]> {
    for (;;) {
      signal.throwIfAborted();
      const givenBack = new Set<string>();
      let stale: boolean;
      this.looks.add(givenBack);
      try {
        const missing = await list();
        // From here to the wait nothing else is awaited: a release in between would be missed.
        const known = missing.filter(({ hash }) => !givenBack.has(`${scope}:${hash}`));
        const taken = known.filter(({ hash }) => !this.busy.has(`${scope}:${hash}`));
        for (const { hash } of taken) this.busy.add(`${scope}:${hash}`);
        if (missing.length === 0 || taken.length > 0) return taken;
        stale = known.length < missing.length;
      } finally {
        this.looks.delete(givenBack);
      }
      if (!stale) await this.released(signal);
    }
  }

  release(scope: string, items: readonly { hash: string }[]): void {
    for (const { hash } of items) {
      this.busy.delete(`${scope}:${hash}`);
      for (const givenBack of this.looks) givenBack.add(`${scope}:${hash}`);
    }
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }

  /** Resolves when somebody has released something, or the signal aborts: whoever holds a content may hang. */
  private released(signal: AbortSignal): Promise<void> {
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
