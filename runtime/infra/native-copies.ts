// Copies of native templates for test files. Whoever had two of one template will ask for a third: from then on the next one is made
// while tests run, for nearly all of its time is waiting that would stand before each file's first test.
import type { ClonedDatabase } from "./copy-client";
import { cloneNative } from "./native-templates";

export class NativeCopies {
  /** How many were asked for, by template. */
  readonly #asked = new Map<string, number>();
  readonly #ahead = new Map<string, Promise<ClonedDatabase>>();

  constructor(private readonly clone: (templateUrl: string) => Promise<ClonedDatabase> = cloneNative) {}

  async take(templateUrl: string): Promise<ClonedDatabase> {
    const asked = (this.#asked.get(templateUrl) ?? 0) + 1;
    this.#asked.set(templateUrl, asked);
    const ahead = this.#ahead.get(templateUrl);
    this.#ahead.delete(templateUrl);
    // What failed while nobody had asked is tried again, and tells whoever asks now.
    const copy = await (ahead?.catch(() => this.clone(templateUrl)) ?? this.clone(templateUrl));
    if (asked > 1 && !this.#ahead.has(templateUrl)) this.#makeAhead(templateUrl);
    return copy;
  }

  #makeAhead(templateUrl: string): void {
    const made = this.clone(templateUrl);
    made.catch(() => undefined);
    this.#ahead.set(templateUrl, made);
  }

  /** Removes what nobody asked for. */
  async stop(): Promise<void> {
    const left = [...this.#ahead.values()];
    this.#ahead.clear();
    await Promise.all(left.map((made) => made.then((copy) => copy.drop()).catch(() => undefined)));
  }
}
