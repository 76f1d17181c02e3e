// How much is under way at once in this process, of somebody and in all. What holds memory or a connection for as long as another
// likes (a slow client, a provider) has bounds, and nobody takes all there is.

export interface UnderWayMax {
  ofOne: number;
  inAll: number;
}

/** Of all: what is left beyond it is for those who have none, one each. */
const SHARED = 0.75;

/**
 * How many one may have when so many are under way in all: no more than three quarters of the room leave free (a threshold that
 * falls with what is free: Choudhury and Hahne, "Dynamic Queue Length Thresholds", 1998). So those who want much come to have
 * equally much as what they have ends, whoever was there first, and those whose work never ends do not take all.
 */
export const fairShare = ({ ofOne, inAll }: UnderWayMax, underWay: number): number =>
  Math.max(1, Math.min(ofOne, Math.floor(inAll * SHARED) - underWay));

export class UnderWay {
  private readonly counts = new Map<string, number>();
  private total = 0;

  constructor(private readonly max: UnderWayMax) {}

  get inAll(): number {
    return this.total;
  }

  has(who: string): boolean {
    return this.counts.has(who);
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

  /** The same, where some who take all that they may leave a fair share for others. */
  enterFairly(who: string): (() => void) | undefined {
    return this.enter(who, fairShare(this.max, this.total));
  }
}
