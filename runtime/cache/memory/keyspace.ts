// The keys of the in-process cache: values of three kinds, each with an optional end of life. Bounded: when
// there are too many keys, the ones unused for longest go.
import { refused } from "../store";

/** A set keeps its members by their bytes as latin1 text, which is exact and compares fast. */
export type Value = Buffer | Buffer[] | Map<string, Buffer>;

interface Slot {
  value: Value;
  /** Milliseconds since the epoch. */
  expiresAt: number | null;
}

export const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

export const memberId = (member: Buffer): string => member.toString("latin1");

export class Keyspace {
  readonly #slots = new Map<string, Slot>();
  readonly #now: () => number;
  readonly #keysMax: number;

  constructor(now: () => number, keysMax: number) {
    this.#now = now;
    this.#keysMax = keysMax;
  }

  #live(key: string): Slot | undefined {
    const slot = this.#slots.get(key);
    if (slot && slot.expiresAt !== null && slot.expiresAt <= this.#now()) {
      this.#slots.delete(key);
      return undefined;
    }
    return slot;
  }

  get(key: string): Value | undefined {
    const slot = this.#live(key);
    if (!slot) return undefined;
    this.#slots.delete(key); // to the end: the order is the one of last use
    this.#slots.set(key, slot);
    return slot.value;
  }

  text(key: string): Buffer | undefined {
    const value = this.get(key);
    if (value !== undefined && !Buffer.isBuffer(value)) throw refused(WRONG_TYPE);
    return value;
  }

  list(key: string): Buffer[] | undefined {
    const value = this.get(key);
    if (value !== undefined && !Array.isArray(value)) throw refused(WRONG_TYPE);
    return value;
  }

  set(key: string): Map<string, Buffer> | undefined {
    const value = this.get(key);
    if (value !== undefined && !(value instanceof Map)) throw refused(WRONG_TYPE);
    return value;
  }

  /** Stores a value and leaves the time to live as it is; an empty list or set is no key at all. */
  put(key: string, value: Value): void {
    const isEmpty = Array.isArray(value) ? value.length === 0 : value instanceof Map && value.size === 0;
    if (isEmpty) return void this.#slots.delete(key);
    const expiresAt = this.#live(key)?.expiresAt ?? null;
    this.#slots.delete(key);
    this.#slots.set(key, { value, expiresAt });
    this.#evict();
  }

  delete(key: string): boolean {
    const existed = this.#live(key) !== undefined;
    this.#slots.delete(key);
    return existed;
  }

  /** Ends the key's life `ttlMs` from now; null takes the end away. Returns whether there is such a key. */
  expire(key: string, ttlMs: number | null): boolean {
    const slot = this.#live(key);
    if (!slot) return false;
    slot.expiresAt = ttlMs === null ? null : this.#now() + ttlMs;
    return true;
  }

  /** Takes out what has ended without being asked for. */
  sweep(): void {
    for (const key of [...this.#slots.keys()]) this.#live(key);
  }

  get size(): number {
    return this.#slots.size;
  }

  #evict(): void {
    while (this.#slots.size > this.#keysMax) {
      const oldest = this.#slots.keys().next();
      if (oldest.done) return;
      this.#slots.delete(oldest.value);
    }
  }
}
