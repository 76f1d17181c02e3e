// What is remembered of keys that are not: the use of the one that used most, of all that share a place. Places are
// chosen by a hash that nobody outside can compute, so nobody chooses whose trace they step on.
import { randomInt } from "node:crypto";

const PLACES = 65_536;

/** Two numbers a place (1 MB), once there is something to remember. */
export class Footprints {
  private used: Float64Array | undefined;
  private untilMs: Float64Array | undefined;
  private readonly seed = randomInt(2 ** 32);

  constructor(private readonly keepMs: number) {}

  leave(key: string, used: number, nowMs: number): void {
    if (used <= 0) return;
    this.used ??= new Float64Array(PLACES);
    this.untilMs ??= new Float64Array(PLACES);
    const place = this.placeOf(key);
    const before = (this.untilMs[place] ?? 0) > nowMs ? (this.used[place] ?? 0) : 0;
    this.used[place] = Math.max(before, used);
    this.untilMs[place] = nowMs + this.keepMs;
  }

  find(key: string, nowMs: number): number {
    if (this.used === undefined || this.untilMs === undefined) return 0;
    const place = this.placeOf(key);
    return (this.untilMs[place] ?? 0) > nowMs ? (this.used[place] ?? 0) : 0;
  }

  forget(key: string): void {
    if (this.used !== undefined) this.used[this.placeOf(key)] = 0;
  }

  /** FNV-1a from a secret start, its bits mixed once more (murmur3's last step). */
  private placeOf(key: string): number {
    let hash = this.seed;
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 16;
  }
}
