// What waits, by whose it is: each of them in turn has one of theirs taken, so that who has much waiting holds up nobody who has
// little (round robin; Nagle, RFC 970: "On packet switches with infinite storage").

export class RoundRobin<T> {
  /** In the order of turns; nobody in it has nothing waiting. */
  private readonly waiting = new Map<string, T[]>();

  /** Of all. */
  get size(): number {
    return [...this.waiting.values()].reduce((sum, items) => sum + items.length, 0);
  }

  of(whose: string): number {
    return this.waiting.get(whose)?.length ?? 0;
  }

  add(whose: string, item: T): void {
    const items = this.waiting.get(whose);
    if (items === undefined) this.waiting.set(whose, [item]);
    else items.push(item);
  }

  /** The oldest of whoever's turn it is among those who may have one. */
  next(mayHave: (whose: string) => boolean = () => true): T | undefined {
    for (const [whose, items] of this.waiting) {
      if (!mayHave(whose)) continue;
      const item = items.shift();
      // Whoever has more waiting is behind everybody else now.
      this.waiting.delete(whose);
      if (items.length > 0) this.waiting.set(whose, items);
      return item;
    }
    return undefined;
  }

  /** Who has left waits no longer. */
  remove(whose: string, item: T): void {
    const left = this.waiting.get(whose)?.filter((one) => one !== item) ?? [];
    if (left.length > 0) this.waiting.set(whose, left);
    else this.waiting.delete(whose);
  }

  takeAll(): T[] {
    const all = [...this.waiting.values()].flat();
    this.waiting.clear();
    return all;
  }
}
