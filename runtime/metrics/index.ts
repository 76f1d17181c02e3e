// Metrics of the app (contract 9.6): the registry that the SDK writes through, and the values for who wants to
// show or export them.
import { BroadcastChannel } from "node:worker_threads";
import type { Host } from "../host";
import { realmCount, takePlace } from "../threads";
import { MetricsRegistry, type Series } from "./registry";
import { Slots, slotRange, type Owned } from "./slots";

export interface Sample extends Series {
  value: number;
}

export interface Metrics {
  /** Which services use which metric. */
  runtimeConfig(): { metrics: Record<string, { name: string; services: string[] }> };
  createRegistry(buffer: object): void;
  registry(): MetricsRegistry;
  /** Current values over all threads; empty before the buffer exists. */
  samples(): Sample[];
}

const CHANNEL = "groundwork.metrics";

function valueAt(buffer: BigUint64Array, { slot, series }: Owned): number {
  const bits = Atomics.load(buffer, slot);
  if (series.type === "Counter") return Number(bits);
  return new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? 0;
}

/** Counters of several threads add up; of gauges the last one heard of counts. */
function merge(buffer: BigUint64Array, all: Owned[]): Sample[] {
  const merged = new Map<string, Sample>();
  for (const owned of all) {
    const key = JSON.stringify(owned.series);
    const value = valueAt(buffer, owned);
    const known = merged.get(key);
    merged.set(key, { ...owned.series, value: known && owned.series.type === "Counter" ? known.value + value : value });
  }
  return [...merged.values()];
}

export function createMetrics(host: Host): Metrics {
  const threads = realmCount(host.config.workerThreads);
  const elsewhere: Owned[] = [];
  let channel: BroadcastChannel | undefined;
  if (threads > 1) {
    channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = (event) => void elsewhere.push((event as { data: Owned }).data);
    channel.unref();
  }
  const slots = new Slots(slotRange(threads > 1 ? takePlace() : 0, threads), host.log, (owned) =>
    channel?.postMessage(owned),
  );
  const registry = new MetricsRegistry(
    (series) => slots.allocate(series),
    () => slots.count,
  );
  let buffer: BigUint64Array | undefined;
  return {
    runtimeConfig: () => ({
      metrics: Object.fromEntries(host.model.metrics.map(({ name, services }) => [name, { name, services }])),
    }),
    createRegistry(given) {
      if (!(given instanceof BigUint64Array))
        throw new TypeError("createMetricsRegistry needs a BigUint64Array over a SharedArrayBuffer");
      buffer = given;
    },
    registry: () => registry,
    samples: () => (buffer ? merge(buffer, [...slots.owned, ...elsewhere]) : []),
  };
}
