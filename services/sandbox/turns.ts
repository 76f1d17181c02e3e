// Whose run is next: the organisations that have some waiting take turns, each with its oldest first, so that nobody waits
// behind another's backlog for longer than one run of each. All lines together are bounded, and each by itself: an
// organisation that fills its own line leaves the others' free.

export type Refusal = "line_full" | "all_full";

export class Turns<Item> {
  /** In the order of turns; none of them is empty. */
  private readonly lines = new Map<string, Item[]>();
  private count = 0;

  constructor(
    private readonly waitingMax: number,
    private readonly lineMax: number,
  ) {}

  /** Takes its place in line, or says why there is none. */
  add(tenant: string, item: Item): Refusal | undefined {
    const line = this.lines.get(tenant);
    if (line !== undefined && line.length >= this.lineMax) return "line_full";
    if (this.count >= this.waitingMax) return "all_full";
    if (line === undefined) this.lines.set(tenant, [item]);
    else line.push(item);
    this.count++;
    return undefined;
  }

  /** The next one of those whose organisation may have another; its organisation is behind all others then. */
  take(isAllowed: (tenant: string) => boolean): Item | undefined {
    for (const [tenant, line] of this.lines) {
      if (!isAllowed(tenant)) continue;
      const item = line.shift();
      this.lines.delete(tenant);
      if (line.length > 0) this.lines.set(tenant, line);
      this.count--;
      return item;
    }
    return undefined;
  }

  /** Who has left waits no longer. */
  remove(tenant: string, item: Item): void {
    const line = this.lines.get(tenant);
    const at = line?.indexOf(item) ?? -1;
    if (line === undefined || at === -1) return;
    line.splice(at, 1);
    if (line.length === 0) this.lines.delete(tenant);
    this.count--;
  }
}
