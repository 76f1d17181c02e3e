// Many small writes as one statement. While a batch is on its way the next one gathers, so that a batch is as large
// as the load makes it and a single write waits for nobody (group commit; graphile-worker's
// `completeJobBatchDelay: 0` does the same). Batches follow each other: what was submitted first is written first.
import { isBrokerAway } from "../broker-errors";

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class GroupCommit<Item, Result> {
  readonly #write: (items: Item[]) => Promise<Result[]>;
  readonly #batchMax: number;
  #waiting: Waiting<Item, Result>[] = [];
  #writing = false;

  /**
   * `write` answers in the order of its items, and is all or nothing. A batch that it refuses for another reason than
   * a broker that is away is written again item by item, so that one bad item fails alone.
   */
  constructor(write: (items: Item[]) => Promise<Result[]>, batchMax: number) {
    this.#write = write;
    this.#batchMax = batchMax;
  }

  /** Resolves when the batch that holds `item` is written. */
  submit(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#writing) this.#schedule();
    });
  }

  /** After this turn of the event loop: whatever it still submits belongs to the same batch. */
  #schedule(): void {
    this.#writing = true;
    setImmediate(() => void this.#next());
  }

  async #next(): Promise<void> {
    const batch = this.#waiting.slice(0, this.#batchMax);
    this.#waiting = this.#waiting.slice(this.#batchMax);
    await this.#writeAll(batch);
    if (this.#waiting.length > 0) this.#schedule();
    else this.#writing = false;
  }

  async #writeAll(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#write(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => resolve(results[index] as Result));
    } catch (error) {
      if (batch.length > 1 && !isBrokerAway(error)) for (const one of batch) await this.#writeAll([one]);
      else batch.forEach(({ reject }) => reject(error));
    }
  }
}
