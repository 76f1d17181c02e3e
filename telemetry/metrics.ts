// The instruments of the whole app, by their Prometheus names (C13 in docs/requirements.md and the golden signals),
// declared in one place so that a name has one meaning. `/metrics` reads them; OTLP gets them when configured.
import type { Attributes, ObservableResult } from "@opentelemetry/api";

import { cfg } from "../config";
import { secondsBuckets } from "./http-metrics";
import { flushMetrics, meter } from "./metrics-sdk";
import { onShutdown } from "./shutdown";
import { withinTime } from "./time-limit";

export { renderPrometheus, flushMetrics } from "./metrics-sdk";
export { httpSeries, httpTotals, secondsBuckets, type HttpSeries, type HttpTotals } from "./http-metrics";

const seconds = (name: string, description: string) =>
  meter.createHistogram(name, { description, advice: { explicitBucketBoundaries: secondsBuckets } });

export const errorsTotal = meter.createCounter("errors_total", {
  description: "Errors answered or met in background work, by type (the error's code)",
});
export const limitRejectionsTotal = meter.createCounter("limit_rejections_total", {
  description: "Requests refused by a rate limit, by policy and dimension",
});
export const limitStoreFailuresTotal = meter.createCounter("limit_store_failures_total", {
  description: "Times that the limits' Redis failed or did not answer in time, so that a process counted by itself",
});
export const breachChecksTotal = meter.createCounter("breach_checks_total", {
  description: "New passwords looked for among leaked ones, by outcome: absent, found, away",
});
export const sessionsCompromisedTotal = meter.createCounter("sessions_compromised_total", {
  description: "Sign-ins ended because a refresh token of theirs was replayed",
});
export const cacheHitsTotal = meter.createCounter("cache_hits_total", {
  description: "Cache reads that found a value, by cache",
});
export const cacheMissesTotal = meter.createCounter("cache_misses_total", {
  description: "Cache reads that found nothing, by cache",
});
export const dbQueryDurationSeconds = seconds("db_query_duration_seconds", "Time of SQL statements, by statement");
export const dbTransactionConflictsTotal = meter.createCounter("db_transaction_conflicts_total", {
  description: "Transactions that the database ended for another's sake, by kind: deadlock, serialization_failure",
});
export const outboxPublishedTotal = meter.createCounter("outbox_published_total", {
  description: "Outbox rows handed over, by destination",
});
export const relayLagSeconds = seconds("relay_lag_seconds", "Time from an outbox row's commit to its hand-over");
export const eventsConsumedTotal = meter.createCounter("events_consumed_total", {
  description: "Events handled, by consumer and outcome",
});
export const eventDurationSeconds = seconds("event_duration_seconds", "Time to handle one event, by consumer");
export const eventsHeldExpiredTotal = meter.createCounter("events_held_expired_total", {
  description: "Events that waited for a consumer for longer than they are kept, by consumer",
});
export const deadLettersTotal = meter.createCounter("dead_letters_total", {
  description: "Events and jobs given up, by source",
});
export const jobsTotal = meter.createCounter("jobs_total", { description: "Jobs finished, by job and outcome" });
export const jobDurationSeconds = seconds("job_duration_seconds", "Time to run one job, by job");
export const jobWaitSeconds = seconds("job_wait_seconds", "Time a job waited before its first run, by job");

export const busNoticesTotal = meter.createCounter("bus_notices_total", {
  description: "Notices of the bus by type and outcome: published, handled, failed, dropped, lost",
});
export const sagasTotal = meter.createCounter("sagas_total", {
  description: "Sagas by what became of them: completed, compensated, stuck",
});
export const sagaStepsTotal = meter.createCounter("saga_steps_total", {
  description: "Attempts of sagas' steps and undos, by saga, step, act and outcome",
});

/** Gauges whose value somebody else knows: read when metrics are collected. */
const gaugeDescriptions = {
  db_pool_active_connections: "Connections of the pool that are in use",
  db_pool_idle_connections: "Connections of the pool that are open and unused",
  db_pool_waiting_requests: "Callers waiting for a connection",
  outbox_depth: "Outbox rows not yet handed over",
  queue_depth: "Jobs waiting, by queue and state",
  sagas_open: "Sagas that have not ended, by state",
  events_held: "Events that wait because their consumer is paused or gets a replay, by consumer",
  events_held_oldest_seconds: "How long the first event has waited for a consumer, by consumer",
  consumers_paused: "1 for each consumer that is paused",
  dead_letters: "Dead letters not yet redriven, by source",
  providers_resting: "Model providers that are left alone because they failed, as this process has met them",
  embedder_processes: "Embedding processes that are up",
  vectors_recall_ratio:
    "Share of the ten nearest contents that searches of the largest organisations find, measured hourly",
} as const;

export type GaugeName = keyof typeof gaugeDescriptions;
export interface Reading {
  value: number;
  labels?: Attributes;
}
/** Gives the gauge's value: a number, or one reading for each set of labels. May be asynchronous, may reject (then nothing is reported). */
export type GaugeSource = () => number | readonly Reading[] | Promise<number | readonly Reading[]>;

/** Shorter than any scraper waits. */
const GAUGE_TIMEOUT_MS = 2_000;

const gauges = new Map<GaugeName, { sources: Set<GaugeSource> }>();

/** Reports `source` as gauge `name` at every collection; returns the function that stops it. */
export function observeGauge(name: GaugeName, source: GaugeSource): () => void {
  const gauge = gauges.get(name) ?? createGauge(name);
  gauge.sources.add(source);
  return () => {
    gauge.sources.delete(source);
  };
}

function createGauge(name: GaugeName): { sources: Set<GaugeSource> } {
  const gauge = { sources: new Set<GaugeSource>() };
  gauges.set(name, gauge);
  meter.createObservableGauge(name, { description: gaugeDescriptions[name] }).addCallback(async (result) => {
    await Promise.all([...gauge.sources].map((source) => report(source, result)));
  });
  return gauge;
}

async function report(source: GaugeSource, result: ObservableResult): Promise<void> {
  for (const reading of (await readSource(source)) ?? []) result.observe(reading.value, reading.labels);
}

/** Of a source that fails or does not answer in time undefined, so that it takes nothing else out of a scrape. */
async function readSource(source: GaugeSource): Promise<readonly Reading[] | undefined> {
  const value = await withinTime(
    Promise.resolve().then(() => source()),
    GAUGE_TIMEOUT_MS,
  ).catch(() => undefined);
  return typeof value === "number" ? [{ value }] : value;
}

/** Whether this process hosts what reports the gauge. */
export const isReported = (name: GaugeName): boolean => (gauges.get(name)?.sources.size ?? 0) > 0;

/** What a gauge says now, asked for by itself; undefined where a source of it does not answer, empty where nobody reports it. */
export async function readGauge(name: GaugeName): Promise<readonly Reading[] | undefined> {
  const readings = await Promise.all([...(gauges.get(name)?.sources ?? [])].map(readSource));
  return readings.some((one) => one === undefined) ? undefined : readings.flatMap((one) => one ?? []);
}

if (cfg.otel.endpoint !== undefined) onShutdown("metrics", flushMetrics, "idle");
