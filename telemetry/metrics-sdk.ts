// The meter provider with its readers: one that `/metrics` pulls from, and an OTLP one when a collector is
// configured. Prometheus text is made by OpenTelemetry's own serializer.
import {
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
  type IMetricReader,
} from "@opentelemetry/sdk-metrics";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { createRequire } from "node:module";

import { cfg } from "../config";
import { httpMetricProducer } from "./http-metrics";
import { observeProcess } from "./process-metrics";
import { resourceAttributes } from "./resource";

const load = createRequire(import.meta.url);

/** Collects when asked, keeps no timer. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const pull = new PullReader({ metricProducers: [httpMetricProducer] });
const provider = new MeterProvider({
  resource: resourceFromAttributes(resourceAttributes()),
  readers: [pull, ...otlpReaders()],
});

export const meter = provider.getMeter("groundwork");
observeProcess(meter);

function otlpReaders(): IMetricReader[] {
  const { endpoint, headers, metricIntervalMs } = cfg.otel;
  if (endpoint === undefined) return [];
  const { OTLPMetricExporter } = load(
    "@opentelemetry/exporter-metrics-otlp-proto",
  ) as typeof import("@opentelemetry/exporter-metrics-otlp-proto");
  const exporter = new OTLPMetricExporter({
    url: `${endpoint.replace(/(?<!\/)\/+$/, "")}/v1/metrics`,
    headers: { ...headers },
  });
  return [
    new PeriodicExportingMetricReader({
      exporter,
      exportIntervalMillis: metricIntervalMs,
      exportTimeoutMillis: Math.min(metricIntervalMs, 5000),
      metricProducers: [httpMetricProducer],
    }),
  ];
}

/** All metrics in the Prometheus text format, version 0.0.4. A gauge whose source fails is left out. */
export async function renderPrometheus(): Promise<string> {
  const { PrometheusSerializer } = load(
    "@opentelemetry/exporter-prometheus",
  ) as typeof import("@opentelemetry/exporter-prometheus");
  const { resourceMetrics } = await pull.collect();
  return new PrometheusSerializer(undefined, false, undefined, true, true).serialize(resourceMetrics);
}

/** Sends what OTLP readers hold; resolves also when the collector is away. */
export async function flushMetrics(): Promise<void> {
  await Promise.allSettled([provider.forceFlush({ timeoutMillis: 2000 })]);
}
