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

  /** Of `who`. */
  of(who: string): number {
    return this.counts.get(who) ?? 0;
  }

  /**
   * Counts one more of `who` and answers what ends it, which may be called more than once; undefined when there are as many as
   * there may be. `ofOneMax` holds for this one.
   */
  enter(who: string, ofOneMax = this.max.ofOne): (() => void) | undefined {
    const own = this.of(who);
    if (own >= ofOneMax || this.total >= this.max.inAll) return undefined;
    this.counts.set(who, own + 1);
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
}
