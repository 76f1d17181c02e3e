// what arrives at a Prometheus remote write receiver, read with the messages of its own definition.
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";
import snappy from "snappyjs";
import { afterEach, expect, test } from "vitest";
import type { Host } from "../../host";
import { createExporter } from "../exporter";
import type { Sample } from "../index";
import { RequestCounts, systemSamples } from "../requests";

const { root } = protobuf.parse(`syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }`);

interface Received {
  headers: IncomingHttpHeaders;
  series: { labels: { name: string; value: string }[]; samples: { value: number; timestamp: number }[] }[];
}

function read(body: Buffer): Received["series"] {
  const type = root.lookupType("WriteRequest");
  const message = type.decode(snappy.uncompress(body));
  return (type.toObject(message, { longs: Number, defaults: true }) as { timeseries: Received["series"] }).timeseries;
}

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

/** `arrived(n)` resolves when n requests have come. */
async function receiver(
  status = 204,
): Promise<{ url: string; received: Received[]; arrived(count: number): Promise<void> }> {
  const received: Received[] = [];
  let wake: () => void = () => undefined;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      received.push({ headers: request.headers, series: read(Buffer.concat(parts)) });
      response.writeHead(status).end(status === 204 ? undefined : "out of order");
      wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endings.push(() => new Promise((resolve) => server.close(resolve)));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`,
    received,
    async arrived(count) {
      while (received.length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

const errors: string[] = [];
const hostFor = (remoteWriteUrl: string, intervalMs: number): Host =>
  ({
    config: {
      metricsExport: { type: "prometheus", remoteWriteUrl, intervalMs },
      environment: { name: "prod", cloud: "gcp" },
    },
    testMode: false,
    log: { error: (message: string, error: Error) => errors.push(`${message}: ${error.message}`) },
  }) as unknown as Host;

const google = { K_SERVICE: "shop", K_REVISION: "shop-00007", K_POD: "shop-abc-x1" };
const orders: Sample = {
  name: "orders_total",
  labels: [
    ["zone", "é"],
    ["kind", "a"],
  ],
  service: "shop",
  type: "Counter",
  value: 7,
};
const level: Sample = { name: "level", labels: [], service: null, type: "Gauge", value: -1.5 };

test("each interval's samples arrive, sorted labels and all, and once more at the end", async () => {
  const { url, received, arrived } = await receiver();
  const counts = new RequestCounts();
  counts.count("shop", "buy", "ok");
  counts.count("shop", "buy", "ok");
  counts.count("shop", "buy", "not_found");
  const exporter = createExporter(hostFor(url, 20), () => [...counts.samples(), orders, level], google);
  const before = Date.now();
  await exporter?.start();
  await arrived(2);
  counts.count("shop", "buy", "ok");
  await exporter?.drain();
  const [first] = received;
  expect(first?.headers).toMatchObject({
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
    "user-agent": "encore",
  });
  const process = { env_name: "prod", instance_id: "x1", revision_id: "00007", service_id: "shop" };
  const labels = (at: number): object =>
    Object.fromEntries(first?.series[at]?.labels.map(({ name, value }) => [name, value]) ?? []);
  expect(labels(0)).toEqual({ __name__: "e_requests_total", code: "ok", endpoint: "buy", service: "shop", ...process });
  expect(labels(1)).toMatchObject({ code: "not_found" });
  expect(labels(2)).toEqual({ __name__: "orders_total", kind: "a", service: "shop", zone: "é", ...process });
  expect(labels(3)).toEqual({ __name__: "level", ...process });
  for (const { labels: all } of first?.series ?? [])
    expect(all.map(({ name }) => name)).toEqual(all.map(({ name }) => name).sort());
  expect(first?.series.map(({ samples }) => samples[0]?.value)).toEqual([2, 1, 7, -1.5]);
  expect(first?.series[0]?.samples[0]?.timestamp).toBeGreaterThanOrEqual(before);
  expect(received.at(-1)?.series[0]?.samples[0]?.value).toBe(3);
});

test("a receiver that refuses is an error in the log and nothing else", async () => {
  const { url } = await receiver(400);
  const exporter = createExporter(hostFor(url, 60_000), () => [orders], {});
  await exporter?.start();
  await exporter?.drain();
  expect(errors[0]).toBe(
    "Failed to export metrics to Prometheus: Prometheus remote write returned non-success status 400: out of order",
  );
});

test("nobody is asked for metrics where none are wanted, and the machine's memory is among them", () => {
  expect(createExporter({ config: {}, testMode: false } as unknown as Host, () => [])).toBeNull();
  const [memory] = systemSamples();
  expect(memory).toMatchObject({ name: "e_sys_memory_used_bytes", type: "Gauge", service: null });
  expect(memory?.value).toBeGreaterThan(0);
});
