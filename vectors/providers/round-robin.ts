// What waits, by whose it is: each of them in turn has one of theirs taken, so that who has much waiting holds up nobody who has
// little (round robin; Nagle, RFC 970: "On packet switches with infinite storage").

export class RoundRobin<T> {
  /** In the order of turns. */
  private readonly waiting = new Map<string, T[]>();

  add(whose: string, item: T): void {
    const items = this.waiting.get(whose);
    if (items === undefined) this.waiting.set(whose, [item]);
    else items.push(item);
  }

  next(): T | undefined {
    const first = this.waiting.entries().next();
    if (first.done === true) return undefined;
    const [whose, items] = first.value;
    const item = items.shift();
    // Whoever has more waiting is behind everybody else now.
    this.waiting.delete(whose);
    if (items.length > 0) this.waiting.set(whose, items);
    return item;
  }

  takeAll(): T[] {
    const all = [...this.waiting.values()].flat();
    this.waiting.clear();
    return all;
  }
}
