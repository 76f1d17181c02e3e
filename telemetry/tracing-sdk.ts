// The tracer provider, made only when something listens: an OTLP endpoint in the configuration or a
// processor added by the console or a test. Without a listener the SDK is not even loaded.
import { context, trace, TraceFlags, type Tracer } from "@opentelemetry/api";
import type {
  IdGenerator,
  NodeTracerProvider,
  ReadableSpan,
  Sampler,
  SamplingResult,
  Span as SdkSpan,
  SpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { createRequire } from "node:module";
import { randomBytes } from "node:crypto";

import { cfg } from "../config";
import { AsyncContextManager } from "./trace-context";
import { resourceAttributes } from "./resource";

const load = createRequire(import.meta.url);

context.disable();
context.setGlobalContextManager(new AsyncContextManager());

/** Ids that the next span must get, so that Encore's request and our span are the same thing. */
let forced: { traceId: string; spanId: string } | undefined;

const ids: IdGenerator = {
  generateTraceId: () => forced?.traceId ?? randomId(16),
  generateSpanId: () => forced?.spanId ?? randomId(8),
};

/** Runs `start` so that the one span it starts gets these ids. */
export function withForcedIds<T>(wanted: { traceId: string; spanId: string }, start: () => T): T {
  forced = wanted;
  try {
    return start();
  } finally {
    forced = undefined;
  }
}

export function randomId(bytes: 8 | 16): string {
  return randomBytes(bytes).toString("hex");
}

const fullRange = 2 ** 52;

/** The decision for a new trace: the same for one id in every process, by the id's last 52 bits. */
export function isSampled(traceId: string, ratio: number = cfg.otel.sampleRatio): boolean {
  return ratio >= 1 || parseInt(traceId.slice(19), 16) < ratio * fullRange;
}

/** Parent-based: whoever began the trace has decided; a new trace is decided by its id. */
const sampler: Sampler = {
  shouldSample(active, traceId): SamplingResult {
    const parent = trace.getSpanContext(active);
    const isParentSampled = parent === undefined ? isSampled(traceId) : (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
    return { decision: isParentSampled ? 2 : 0 };
  },
  toString: () => `ParentOrRatio(${cfg.otel.sampleRatio})`,
};

/** Hands spans to processors that come and go while the process runs. */
class Fanout implements SpanProcessor {
  readonly processors = new Set<SpanProcessor>();

  onStart(span: SdkSpan, parent: ReturnType<typeof context.active>): void {
    for (const processor of this.processors) processor.onStart(span, parent);
  }

  onEnd(span: ReadableSpan): void {
    for (const processor of this.processors) processor.onEnd(span);
  }

  async forceFlush(): Promise<void> {
    await Promise.allSettled([...this.processors].map((processor) => processor.forceFlush()));
  }

  async shutdown(): Promise<void> {
    await Promise.allSettled([...this.processors].map((processor) => processor.shutdown()));
  }
}

const fanout = new Fanout();
let provider: NodeTracerProvider | undefined;
let tracer: Tracer | undefined;

/** The tracer while somebody listens, else undefined: the one check that a silent process pays for. */
export function activeTracer(): Tracer | undefined {
  return tracer;
}

/** Adds a listener for finished spans; returns the function that removes it. */
export function addSpanProcessor(processor: SpanProcessor): () => void {
  provider ??= createProvider();
  tracer ??= provider.getTracer("groundwork");
  fanout.processors.add(processor);
  return () => {
    fanout.processors.delete(processor);
    if (fanout.processors.size === 0) tracer = undefined;
  };
}

function createProvider(): NodeTracerProvider {
  const sdk = load("@opentelemetry/sdk-trace-node") as typeof import("@opentelemetry/sdk-trace-node");
  const { resourceFromAttributes } = load("@opentelemetry/resources") as typeof import("@opentelemetry/resources");
  const made = new sdk.NodeTracerProvider({
    resource: resourceFromAttributes(resourceAttributes()),
    sampler,
    idGenerator: ids,
    spanProcessors: [fanout],
    spanLimits: { attributeValueLengthLimit: 4096, attributeCountLimit: 64, eventCountLimit: 64 },
  });
  trace.setGlobalTracerProvider(made);
  return made;
}

/** Starts exporting to the configured collector; does nothing without one. Failures of the collector never reach a request. */
export function startExporting(): void {
  const { endpoint, headers } = cfg.otel;
  if (endpoint === undefined) return;
  const sdk = load("@opentelemetry/sdk-trace-node") as typeof import("@opentelemetry/sdk-trace-node");
  const { OTLPTraceExporter } = load(
    "@opentelemetry/exporter-trace-otlp-proto",
  ) as typeof import("@opentelemetry/exporter-trace-otlp-proto");
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/(?<!\/)\/+$/, "")}/v1/traces`,
    headers: { ...headers },
  });
  addSpanProcessor(
    new sdk.BatchSpanProcessor(exporter, { scheduledDelayMillis: 1000, maxQueueSize: 8192, maxExportBatchSize: 512 }),
  );
}

/** Sends what is still waiting; resolves also when the collector is away. */
export async function flushTraces(): Promise<void> {
  await fanout.forceFlush();
}

startExporting();
