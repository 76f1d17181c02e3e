// Counting in this process, per key and window. A key's window begins with its first count. No timers, and no more
// keys than its bound: an attacker has 2^64 addresses, we have not as much memory.
import { RecentMap } from "./recent-map";

export interface Quota {
  /** Points per window; a request costs one. */
  points: number;
  windowSeconds: number;
  /** After the quota is used up: how long the key stays shut, when longer than the window's rest. */
  blockSeconds?: number;
}

/** Bounds the memory of one counter to some megabytes. */
const KEYS_MAX = 50_000;

interface Window {
  used: number;
  endsAtMs: number;
  isShut: boolean;
}

/**
 * Fixed windows in memory. When more keys come than it holds, those not used lately are forgotten, keys over their
 * quota last of all. Times are of a monotonic clock, so that setting the machine's clock opens nothing.
 */
export class WindowCounter {
  private readonly windows: RecentMap<Window>;

  constructor(
    private readonly quota: Quota,
    keysMax: number = KEYS_MAX,
  ) {
    this.windows = new RecentMap(keysMax, (window) => window.isShut);
  }

  /** Counts `points` of `key`. 0 when they fit the quota; else the milliseconds until the key opens again. */
  consume(key: string, nowMs: number = performance.now(), points = 1): number {
    const { quota } = this;
    let window = this.windows.get(key);
    if (window === undefined || window.endsAtMs <= nowMs) {
      window = { used: 0, endsAtMs: nowMs + quota.windowSeconds * 1000, isShut: false };
      this.windows.set(key, window);
    }
    window.used += points;
    if (window.used <= quota.points) return 0;
    if (!window.isShut) {
      window.isShut = true;
      window.endsAtMs = Math.max(window.endsAtMs, nowMs + (quota.blockSeconds ?? 0) * 1000);
    }
    return window.endsAtMs - nowMs;
  }

  /** Milliseconds until the next point of `key` fits its quota; 0 when it does now. Counts nothing. */
  waitMs(key: string, nowMs: number = performance.now()): number {
    const window = this.windows.get(key);
    const isUsedUp = window !== undefined && window.endsAtMs > nowMs && window.used >= this.quota.points;
    return isUsedUp ? window.endsAtMs - nowMs : 0;
  }

  forget(key: string): void {
    this.windows.delete(key);
  }

  /** Keys held. */
  get size(): number {
    return this.windows.size;
  }
}
