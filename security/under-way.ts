// How much is under way at once in this process, of somebody and in all. What holds memory or a connection for as long as another
// likes (a slow client, a provider) has bounds, and nobody takes all there is.

export interface UnderWayMax {
  ofOne: number;
  inAll: number;
}

export class UnderWay {
  private readonly counts = new Map<string, number>();
  private total = 0;

  constructor(private readonly max: UnderWayMax) {}

  get inAll(): number {
    return this.total;
  }

  /** Whether `who` may have another. */
  hasRoom(who: string, ofOneMax = this.max.ofOne): boolean {
    return (this.counts.get(who) ?? 0) < ofOneMax && this.total < this.max.inAll;
  }

  /**
   * Counts one more of `who` and answers what ends it, which may be called more than once; undefined when there are as many as
   * there may be. `ofOneMax` holds for this one.
   */
  enter(who: string, ofOneMax = this.max.ofOne): (() => void) | undefined {
    if (!this.hasRoom(who, ofOneMax)) return undefined;
    this.counts.set(who, (this.counts.get(who) ?? 0) + 1);
    this.total++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.total--;
      const left = (this.counts.get(who) ?? 1) - 1;
      if (left === 0) this.counts.delete(who);
      else this.counts.set(who, left);
    };
  }

  /** The same, where some who take all that they may leave room for many others: past half of all, one each. */
  enterFairly(who: string): (() => void) | undefined {
    return this.enter(who, this.total < this.max.inAll / 2 ? this.max.ofOne : 1);
  }
}
