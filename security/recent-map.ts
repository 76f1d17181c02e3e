// A map of bounded size that forgets what was not used lately: for what callers we do not know can make us
// remember. Two generations: what is asked for moves to the young one; when that is full it becomes the old one, and
// the old one goes as a whole. Every step is constant (a Map that loses its first key again and again is not).

interface Options<V> {
  /** Chooses values that outlive their generation; at most a quarter of all keys get this favour. */
  mustStay?: (value: V) => boolean;
  /** Told of each value that is forgotten, but not of those that are deleted. */
  onLeave?: (key: string, value: V) => void;
}

/** Values of at most `max` keys. A value that is used stays while fewer than half as many other keys are used after it. */
export class RecentMap<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();
  private readonly half: number;

  constructor(
    max: number,
    private readonly options: Options<V> = {},
  ) {
    this.half = Math.max(1, Math.floor(max / 2));
  }

  get(key: string): V | undefined {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const aged = this.old.get(key);
    if (aged !== undefined) {
      this.old.delete(key);
      this.set(key, aged);
    }
    return aged;
  }

  set(key: string, value: V): void {
    if (this.young.size >= this.half && !this.young.has(key)) this.turn();
    this.young.set(key, value);
    this.old.delete(key);
  }

  delete(key: string): boolean {
    const wasYoung = this.young.delete(key);
    return this.old.delete(key) || wasYoung;
  }

  /** Never above the maximum. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  private turn(): void {
    const leaving = this.old;
    this.old = this.young;
    this.young = new Map();
    const { mustStay, onLeave } = this.options;
    if (mustStay === undefined && onLeave === undefined) return;
    for (const [key, value] of leaving)
      if (mustStay?.(value) === true && this.young.size < this.half / 2) this.young.set(key, value);
      else onLeave?.(key, value);
  }
}
