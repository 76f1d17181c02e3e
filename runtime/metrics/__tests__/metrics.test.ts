import { describe, expect, it } from "vitest";
import type { Host } from "../../host";
import type { AppModel } from "../../model";
import { createMetrics } from "../index";
import { prometheusText } from "../prometheus";
import { SLOTS, Slots, slotRange } from "../slots";

const warnings: string[] = [];
const log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message: string) => void warnings.push(message),
  error: () => undefined,
  prepareInfo: () => null,
};
const metrics = [{ name: "orders_total", services: ["shop"] }] as AppModel["metrics"];
const host = { model: { metrics }, config: { workerThreads: 1 }, log, testMode: false } as unknown as Host;

describe("the metrics registry", () => {
  it("gives the same series the same slot, whatever the order of its labels", () => {
    const registry = createMetrics(host).registry();
    const first = registry.allocateSlot(
      "orders_total",
      [
        ["a", "1"],
        ["b", "2"],
      ],
      "shop",
      "Counter",
    );
    expect(
      registry.allocateSlot(
        "orders_total",
        [
          ["b", "2"],
          ["a", "1"],
        ],
        "shop",
        "Counter",
      ),
    ).toBe(first);
    expect(registry.allocateSlot("orders_total", [["a", "1"]], "shop", "Counter")).not.toBe(first);
    expect(registry.slotCount()).toBe(2);
  });

  it("reads back what the SDK wrote into the shared buffer", () => {
    const made = createMetrics(host);
    const buffer = new SharedArrayBuffer(SLOTS * 8);
    made.createRegistry(new BigUint64Array(buffer));
    const counter = made.registry().allocateSlot("orders_total", [["kind", 'a"b']], "shop", "Counter");
    const gauge = made.registry().allocateSlot("level", [], null, "Gauge");
    Atomics.add(new BigUint64Array(buffer), counter, 5n);
    new Float64Array(buffer)[gauge] = -1.5;
    expect(made.samples().map((sample) => sample.value)).toEqual([5, -1.5]);
    expect(prometheusText(made.samples())).toBe(
      '# TYPE orders_total counter\norders_total{service="shop",kind="a\\"b"} 5\n# TYPE level gauge\nlevel -1.5\n',
    );
  });

  it("knows which services use which metric", () => {
    expect(createMetrics(host).runtimeConfig()).toEqual({
      metrics: { orders_total: { name: "orders_total", services: ["shop"] } },
    });
  });

  it("gives every thread a part of the buffer of its own", () => {
    const ranges = [0, 1, 2].map((thread) => slotRange(thread, 3));
    expect(ranges.map((range) => range.first)).toEqual([0, 3333, 6666]);
    expect(ranges.every((range) => range.first + range.count <= SLOTS)).toBe(true);
  });

  it("records no further series when its part is full, and says so once", () => {
    const slots = new Slots({ first: 10, count: 3 }, log, () => undefined);
    const series = (name: string) => ({ name, labels: [], service: "shop", type: "Counter" as const });
    expect(["a", "b", "c", "d"].map((name) => slots.allocate(series(name)))).toEqual([10, 11, 12, 12]);
    expect(warnings).toHaveLength(1);
  });
});
