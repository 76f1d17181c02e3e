// What `Bucket.list` hands out (13.3). The first entry is fetched before, so that a store that cannot be reached is an
// error of the operation; a failure further on rejects `next`, as officially.
import { nativeError } from "../native/native-error";
import type { ListedObject } from "./store";

export class ListEntry {
  name: string;
  size: number;
  etag: string;

  constructor({ name, size, etag }: ListedObject) {
    this.name = name;
    this.size = size;
    this.etag = etag;
  }
}

type Step = IteratorResult<ListedObject, unknown>;

export class ListIterator {
  readonly #rest: AsyncIterator<ListedObject>;
  #first: Step | undefined;

  private constructor(first: Step, rest: AsyncIterator<ListedObject>) {
    this.#first = first;
    this.#rest = rest;
  }

  static async open(entries: AsyncIterable<ListedObject>): Promise<ListIterator> {
    const rest = entries[Symbol.asyncIterator]();
    return new ListIterator(await rest.next(), rest);
  }

  async next(): Promise<ListEntry | null> {
    const step = this.#first ?? (await this.#advance());
    this.#first = undefined;
    return step.done ? null : new ListEntry(step.value);
  }

  markDone(): void {}

  async #advance(): Promise<Step> {
    try {
      return await this.#rest.next();
    } catch (error) {
      throw nativeError(error instanceof Error ? error.message : String(error), "GenericFailure", error);
    }
  }
}
