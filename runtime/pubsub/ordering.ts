// Messages with the same ordering attribute are handled one after the other, in the order they were published
// (P-11). The order holds within one process; a message that is tried again later lets the next one pass.

export class Ordering {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` after everything that was handed over earlier under the same key; at once without a key. */
  run(key: string | undefined, work: () => Promise<void>): Promise<void> {
    if (key === undefined) return work();
    const result = (this.#tails.get(key) ?? Promise.resolve()).then(work);
    const tail = result.catch(() => undefined);
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    return result;
  }
}
