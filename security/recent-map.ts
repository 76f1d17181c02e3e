// A map of bounded size that forgets what was not used lately: for what callers we do not know can make us
// remember. Three generations: what is asked for moves to the young one; when that is full it becomes the old one, and the old one
// leaves, some of it with each value that comes, so that no step takes long (a Map that loses its first key again and again does).

interface Options<V> {
  /** Chooses values that outlive their generations; at most a sixth of all keys get this favour. */
  mustStay?: (value: V) => boolean;
  /** Told of each value that is forgotten, but not of those that are deleted. */
  onLeave?: (key: string, value: V) => void;
}

/** Of those that leave, with each that comes: a generation is gone before the next is full, though half of it must stay. */
const LEAVING_AT_ONCE = 4;

/** Values of at most `max` keys. A value that is used stays while fewer than a third as many other keys are used after it. */
export class RecentMap<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();
  private leaving = new Map<string, V>();
  /** Of `leaving`, where it stands. */
  private rest = this.leaving.entries();
  private readonly generation: number;

  constructor(
    max: number,
    private readonly options: Options<V> = {},
  ) {
    this.generation = Math.max(1, Math.floor(max / 3));
  }

  get(key: string): V | undefined {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const aged = this.old.get(key) ?? this.leaving.get(key);
    // Before it is put anew: making room could forget it.
    if (aged !== undefined && this.deleteAged(key)) this.set(key, aged);
    return aged;
  }

  set(key: string, value: V): void {
    this.deleteAged(key);
    if (this.young.size >= this.generation && !this.young.has(key)) this.turn();
    this.letLeave(LEAVING_AT_ONCE);
    this.young.set(key, value);
  }

  delete(key: string): boolean {
    const wasYoung = this.young.delete(key);
    return this.deleteAged(key) || wasYoung;
  }

  /** Never above the maximum. */
  get size(): number {
    return this.young.size + this.old.size + this.leaving.size;
  }

  private deleteAged(key: string): boolean {
    return this.old.delete(key) || this.leaving.delete(key);
  }

  private turn(): void {
    // Nothing is left of it, unless what must stay filled this generation.
    this.letLeave(this.leaving.size);
    this.leaving = this.old;
    this.rest = this.leaving.entries();
    this.old = this.young;
    this.young = new Map();
  }

  private letLeave(count: number): void {
    for (let left = count; left > 0; left--) {
      const { value: next } = this.rest.next();
      if (next === undefined) return;
      const [key, value] = next;
      this.leaving.delete(key);
      const { mustStay, onLeave } = this.options;
      if (this.young.size < this.generation / 2 && mustStay?.(value) === true) this.young.set(key, value);
      else onLeave?.(key, value);
    }
  }
}
