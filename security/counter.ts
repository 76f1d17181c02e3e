// Counting in this process, per key. No timers, and no more keys than its bound: an attacker has 2^64 addresses, we have
// not as much memory. A key that has to leave leaves its use behind in one of a fixed number of places, so that a flood
// of other keys is no way to begin anew. Times are of a monotonic clock: setting the machine's clock opens nothing.
import { Footprints } from "./footprints";
import { costWithin, WINDOW_PARTS, type Quota, type SlidingWindowQuota, type TokenBucketQuota } from "./quota";
import { RecentMap } from "./recent-map";

/** Bounds the memory of one counter to some megabytes. */
const KEYS_MAX = 50_000;

/** How one key's use is kept. `S` is what there is of each key. */
interface Algorithm<S> {
  /** The state of a key of which `used` points are remembered. */
  begin(used: number, nowMs: number): S;
  used(state: S, nowMs: number): number;
  /** Milliseconds until `cost` fits; 0 when it does now. */
  waitMs(state: S, cost: number, nowMs: number): number;
  /** The points that are left after `cost`, or minus the milliseconds until it fits; then it is not taken. */
  take(state: S, cost: number, nowMs: number): number;
  /** Whatever the quota says; negative costs give back. */
  add(state: S, cost: number, nowMs: number): void;
}

/** Use of each key under one quota. */
export class MemoryCounter {
  private readonly states: RecentMap<unknown>;
  private readonly algorithm: Algorithm<unknown>;
  private readonly footprints: Footprints;
  /** Of the last question, for what leaves because of it. */
  private nowMs = 0;

  constructor(
    readonly quota: Quota,
    keysMax: number = KEYS_MAX,
  ) {
    this.algorithm = quota.algorithm === "token-bucket" ? new TokenBucket(quota) : new SlidingWindow(quota);
    this.footprints = new Footprints(quota.windowSeconds * 1000);
    this.states = new RecentMap(keysMax, {
      mustStay: (state) => this.algorithm.waitMs(state, 1, this.nowMs) > 0,
      onLeave: (key, state) => this.footprints.leave(key, this.algorithm.used(state, this.nowMs), this.nowMs),
    });
  }

  /** Takes `cost` points of `key`: the points that are left, or minus the milliseconds until they fit; then none is taken. */
  consume(key: string, nowMs: number = performance.now(), cost = 1): number {
    return this.algorithm.take(this.stateOf(key, nowMs), costWithin(this.quota, cost), nowMs);
  }

  /** Takes `cost` points whether or not they fit (up to twice the quota), or gives them back when negative. */
  settle(key: string, cost: number, nowMs: number = performance.now()): void {
    const state = this.stateOf(key, nowMs);
    const used = this.algorithm.used(state, nowMs);
    const wanted = Math.min(Math.max(used + cost, 0), Math.max(used, 2 * this.quota.points));
    this.algorithm.add(state, wanted - used, nowMs);
  }

  /** Milliseconds until the next point of `key` fits its quota; 0 when it does now. Counts nothing. */
  waitMs(key: string, nowMs: number = performance.now()): number {
    this.nowMs = nowMs;
    const state = this.states.get(key);
    return state === undefined ? 0 : this.algorithm.waitMs(state, 1, nowMs);
  }

  /** Points that `key` has used and not got back yet. Counts nothing. */
  used(key: string, nowMs: number = performance.now()): number {
    const state = this.states.get(key);
    return state === undefined ? 0 : this.algorithm.used(state, nowMs);
  }

  forget(key: string): void {
    this.states.delete(key);
    this.footprints.forget(key);
  }

  /** Keys held. */
  get size(): number {
    return this.states.size;
  }

  private stateOf(key: string, nowMs: number): unknown {
    this.nowMs = nowMs;
    const known = this.states.get(key);
    if (known !== undefined) return known;
    // Somebody else's trace may lie there: a key that begins has one point at least.
    const used = Math.min(this.footprints.find(key, nowMs), this.quota.points - 1);
    const state = this.algorithm.begin(used, nowMs);
    this.states.set(key, state);
    return state;
  }
}

interface Level {
  points: number;
  atMs: number;
}

/** Sums of parts of a point are not exact. */
const ROUNDING = 1e-6;

/** A level that falls evenly and may not rise above the quota: two numbers a key. */
class TokenBucket implements Algorithm<Level> {
  private readonly points: number;
  private readonly perMs: number;

  constructor({ points, windowSeconds }: TokenBucketQuota) {
    this.points = points;
    this.perMs = points / (windowSeconds * 1000);
  }

  begin(used: number, nowMs: number): Level {
    return { points: used, atMs: nowMs };
  }

  used(level: Level, nowMs: number): number {
    if (nowMs > level.atMs) {
      level.points = Math.max(0, level.points - (nowMs - level.atMs) * this.perMs);
      level.atMs = nowMs;
    }
    return level.points;
  }

  waitMs(level: Level, cost: number, nowMs: number): number {
    const over = this.used(level, nowMs) + cost - this.points;
    return over > ROUNDING ? over / this.perMs : 0;
  }

  take(level: Level, cost: number, nowMs: number): number {
    const used = this.used(level, nowMs) + cost;
    const over = used - this.points;
    if (over > ROUNDING) return -over / this.perMs;
    level.points = used;
    return Math.max(0, -over);
  }

  add(level: Level, cost: number, nowMs: number): void {
    level.points = Math.max(0, this.used(level, nowMs) + cost);
  }
}

interface Parts {
  /** Points by part, a ring of one more than the window has, because the oldest may still reach into it. */
  points: number[];
  used: number;
  /** The number of the newest part. */
  newest: number;
  shutUntilMs: number;
}

const RING = WINDOW_PARTS + 1;

/** Where a part stands in the ring; parts before the clock's beginning have places too. */
const placeOf = (part: number): number => ((part % RING) + RING) % RING;

/** Points by the part of the window they fell into. The oldest part counts whole, so the quota is never exceeded. */
class SlidingWindow implements Algorithm<Parts> {
  private readonly points: number;
  private readonly partMs: number;
  private readonly blockMs: number;

  constructor({ points, windowSeconds, blockSeconds = 0 }: SlidingWindowQuota) {
    this.points = points;
    this.partMs = (windowSeconds * 1000) / WINDOW_PARTS;
    this.blockMs = blockSeconds * 1000;
  }

  begin(used: number, nowMs: number): Parts {
    const newest = Math.floor(nowMs / this.partMs);
    const points = new Array<number>(RING).fill(0);
    points[placeOf(newest)] = used;
    return { points, used, newest, shutUntilMs: 0 };
  }

  used(parts: Parts, nowMs: number): number {
    const newest = Math.floor(nowMs / this.partMs);
    if (newest <= parts.newest) return parts.used;
    for (let part = Math.max(parts.newest + 1, newest - WINDOW_PARTS); part <= newest; part++) {
      const place = placeOf(part);
      parts.used -= parts.points[place] ?? 0;
      parts.points[place] = 0;
    }
    parts.newest = newest;
    return parts.used;
  }

  waitMs(parts: Parts, cost: number, nowMs: number): number {
    let over = this.used(parts, nowMs) + cost - this.points;
    let openAtMs = parts.shutUntilMs;
    for (let part = parts.newest - WINDOW_PARTS; over > 0 && part <= parts.newest; part++) {
      over -= parts.points[placeOf(part)] ?? 0;
      // That part has left when the one after the window's length has begun.
      if (over <= 0) openAtMs = Math.max(openAtMs, (part + RING) * this.partMs);
    }
    return Math.max(0, openAtMs - nowMs);
  }

  take(parts: Parts, cost: number, nowMs: number): number {
    const waitMs = this.waitMs(parts, cost, nowMs);
    if (waitMs === 0) {
      this.put(parts, cost);
      return this.points - parts.used;
    }
    if (parts.shutUntilMs > nowMs || this.blockMs === 0) return -waitMs;
    parts.shutUntilMs = nowMs + this.blockMs;
    return -Math.max(waitMs, this.blockMs);
  }

  add(parts: Parts, cost: number, nowMs: number): void {
    this.used(parts, nowMs);
    this.put(parts, cost);
  }

  /** What is given back leaves the newest parts first: they stay longest. */
  private put(parts: Parts, cost: number): void {
    let rest = cost;
    for (let part = parts.newest; rest !== 0 && part > parts.newest - RING; part--) {
      const place = placeOf(part);
      const held = parts.points[place] ?? 0;
      const change = Math.max(rest, -held);
      parts.points[place] = held + change;
      parts.used += change;
      rest -= change;
    }
  }
}
