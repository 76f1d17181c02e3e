// The native MetricsRegistry (13.3): hands out slots of the shared buffer that the SDK's counters and gauges
// write to. The values are read back by the host only.

export const MetricType = { Counter: "Counter", Gauge: "Gauge" } as const;
export type MetricType = (typeof MetricType)[keyof typeof MetricType];

export interface Series {
  name: string;
  labels: [string, string][];
  service: string | null;
  type: MetricType;
}

export class MetricsRegistry {
  readonly #allocate: (series: Series) => number;
  readonly #count: () => number;

  constructor(allocate: (series: Series) => number, count: () => number) {
    this.#allocate = allocate;
    this.#count = count;
  }

  /** The same series gives the same slot. */
  allocateSlot(name: string, labels: [string, string][], service: string | null | undefined, type: MetricType): number {
    return this.#allocate({ name, labels, service: service ?? null, type });
  }

  slotCount(): number {
    return this.#count();
  }
}
