// Which series owns which slot of the shared buffer. Every worker thread has its own part of the buffer, so
// that no two threads ever hand out the same slot; the main thread hears of the others' series and adds up.
import type { HostLog } from "../host";
import type { Series } from "./registry";

export const SLOTS = 10_000;

export interface Owned {
  slot: number;
  series: Series;
}

export interface SlotRange {
  first: number;
  count: number;
}

/** The part of the buffer that belongs to thread `index` of `threads`. */
export function slotRange(index: number, threads: number): SlotRange {
  const count = Math.floor(SLOTS / Math.max(threads, 1));
  return { first: (index % Math.max(threads, 1)) * count, count };
}

const keyOf = ({ name, labels, service, type }: Series): string =>
  JSON.stringify([name, type, service, [...labels].sort(([a], [b]) => (a < b ? -1 : 1))]);

export class Slots {
  readonly #range: SlotRange;
  readonly #log: HostLog;
  readonly #owned = new Map<string, Owned>();
  readonly #announce: (owned: Owned) => void;
  #warned = false;

  constructor(range: SlotRange, log: HostLog, announce: (owned: Owned) => void) {
    this.#range = range;
    this.#log = log;
    this.#announce = announce;
  }

  get count(): number {
    return this.#owned.size;
  }

  get owned(): Owned[] {
    return [...this.#owned.values()];
  }

  /** When the buffer is full, further series share the last slot, which nobody reads. */
  allocate(series: Series): number {
    const key = keyOf(series);
    const known = this.#owned.get(key);
    if (known) return known.slot;
    const last = this.#range.first + this.#range.count - 1;
    const slot = this.#range.first + this.#owned.size;
    if (slot >= last) {
      if (!this.#warned)
        this.#log.warn("metrics: too many series; new ones are not recorded", {
          metric: series.name,
          series_max: this.#range.count - 1,
        });
      this.#warned = true;
      return last;
    }
    const owned = { slot, series };
    this.#owned.set(key, owned);
    this.#announce(owned);
    return slot;
  }
}
