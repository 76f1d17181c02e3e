// Many small writes as one statement: while one is on its way the next gathers, so a batch is as large as the load makes
// it and a single write waits for nobody. graphile-worker completes jobs so (`completeJobBatchDelay: 0`).

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

const BATCH_MAX = 200;

export class Batch<Item, Result> {
  private waiting: Waiting<Item, Result>[] = [];
  private isWriting = false;

  /** `write` answers in the order of its items, all or nothing. */
  constructor(private readonly write: (items: Item[]) => Promise<Result[]>) {}

  submit(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.isWriting) void this.writeAll();
    });
  }

  private async writeAll(): Promise<void> {
    this.isWriting = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, BATCH_MAX);
      try {
        const results = await this.write(batch.map(({ item }) => item));
        batch.forEach(({ resolve }, at) => resolve(results[at] as Result));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.isWriting = false;
  }
}
