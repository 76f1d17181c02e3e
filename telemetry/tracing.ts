// Spans for the app's code. A request's root span carries Encore's own ids, and outbox rows and jobs carry
// W3C trace context, so one trace id leads from the HTTP request to the last SQL statement. What is not
// sampled costs a look at the active context and nothing else.
import {
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
} from "@opentelemetry/api";

import { cfg, flags } from "../config";
import { errorText } from "./error-text";
import { withLogFields, type LogFields } from "./log-context";
import { redactText } from "./redaction";
import { onShutdown, trackWork } from "./shutdown";
import { activeTracer, flushTraces, isSampled, randomId, withForcedIds } from "./tracing-sdk";
import { logger } from "./logger";
import { base32FromHex, currentSpanContext, requestTraceFrom, type EncoreTrace } from "./trace-context";

export { addSpanProcessor, flushTraces } from "./tracing-sdk";
export { currentRequestId } from "./trace-context";

export type SpanKindName = "internal" | "server" | "client" | "producer" | "consumer";

export interface SpanOptions {
  kind?: SpanKindName;
  attributes?: Attributes;
}

const kinds: Record<SpanKindName, SpanKind> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

const log = logger("work");

const silent: Span = trace.wrapSpanContext({
  traceId: "0".repeat(32),
  spanId: "0".repeat(16),
  traceFlags: TraceFlags.NONE,
});

/** Whether anybody listens to spans at all. */
export function isTracing(): boolean {
  return activeTracer() !== undefined;
}

/** Whether anybody learns of work that is traced: by its spans, or by the lines that its end writes. */
export function isFollowed(): boolean {
  return isTracing() || log.isLevelEnabled("debug");
}

/** True when a span started now would be recorded: the test to make before computing costly attributes. */
export function isRecording(): boolean {
  return activeTracer() !== undefined && trace.getSpan(context.active())?.isRecording() === true;
}

/**
 * Runs `fn` in a span below the active one; without a recorded span above it runs `fn` alone.
 * The span ends when the result settles; a throw marks it as failed and passes through.
 */
export function withSpan<T>(name: string, options: SpanOptions, fn: (span: Span) => T): T {
  const tracer = activeTracer();
  if (tracer === undefined || !isRecording()) return fn(silent);
  const span = tracer.startSpan(name, {
    kind: kinds[options.kind ?? "internal"],
    ...(options.attributes && { attributes: options.attributes }),
  });
  return runInSpan(span, context.active(), fn);
}

/** Runs `fn` in a client span of one SQL statement: its name and text, never its parameters. `tenantId`: whose work it is. */
export function sqlSpan<T>(statementName: string, text: string, fn: () => T, tenantId?: string): T {
  if (!isRecording()) return fn();
  const detail = flags.tier("sqlSpans", tenantId);
  if (detail === "off") return fn();
  const attributes: Attributes = { "db.system": "postgresql", "db.operation.name": statementName };
  if (detail === "text") attributes["db.statement"] = text;
  return withSpan(`sql ${statementName}`, { kind: "client", attributes }, fn);
}

/** The current trace as headers for an outbox row, a job or an outgoing call; empty when there is none. */
export function traceHeaders(): Record<string, string> {
  const current = currentSpanContext();
  return current === undefined ? {} : { traceparent: formatTraceparent(current) };
}

/** W3C Trace Context, version 00. */
export function formatTraceparent(span: SpanContext): string {
  return `00-${span.traceId}-${span.spanId}-${(span.traceFlags & TraceFlags.SAMPLED) === 0 ? "00" : "01"}`;
}

const traceparentPattern = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;

/** The span context of a `traceparent`; undefined when it is absent or not valid. */
export function parseTraceparent(value: string | undefined): SpanContext | undefined {
  const match = value === undefined || value.startsWith("ff") ? null : traceparentPattern.exec(value);
  if (match === null) return undefined;
  const [, traceId = "", spanId = "", flagBits = ""] = match;
  const parsed: SpanContext = {
    traceId,
    spanId,
    traceFlags: parseInt(flagBits, 16) & TraceFlags.SAMPLED,
    isRemote: true,
  };
  return isSpanContextValid(parsed) ? parsed : undefined;
}

export interface ContinueOptions extends SpanOptions {
  /** Added to every log line of the work, and to the span as `tenant.id` and the like. */
  log?: LogFields;
}

/**
 * Runs work that another process or moment asked for (outbox row, message, job) inside the trace it came
 * from. Without a usable `traceparent` a new trace begins. Its log lines carry the `requestId` of the request that
 * began the trace. The work counts as in flight for shutdown.
 */
export function continueTrace<T>(
  headers: Readonly<Record<string, string | undefined>>,
  spanName: string,
  options: ContinueOptions,
  fn: (span: Span) => T,
): T {
  const carried = parseTraceparent(headers.traceparent);
  const parent = carried === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, carried);
  const span = startContinued(carried, parent, spanName, options);
  const requestId = base32FromHex(span.spanContext().traceId);
  const work = (): T => runInSpan(span, parent, (own) => logged(spanName, () => fn(own)));
  return trackWork(() => withLogFields(Object.assign({ requestId }, options.log), work));
}

/** One line at the end of the work, for whoever follows a request: at `debug`, because there are many. */
function logged<T>(name: string, work: () => T): T {
  if (!log.isLevelEnabled("debug")) return work();
  const startedAtMs = performance.now();
  const result = work();
  const end = (): void => log.debug({ durationMs: Math.round(performance.now() - startedAtMs) }, name);
  if (result instanceof Promise) return result.finally(end) as T;
  end();
  return result;
}

/** A recorded span, or one that only carries the ids on: nobody listens, or the trace's beginner did not sample it. */
function startContinued(
  carried: SpanContext | undefined,
  parent: Context,
  name: string,
  { kind = "consumer", attributes, log }: ContinueOptions,
): Span {
  const tracer = activeTracer();
  if (tracer === undefined) return trace.wrapSpanContext(carried ?? unrecordedTrace());
  if (carried !== undefined && (carried.traceFlags & TraceFlags.SAMPLED) === 0) return trace.wrapSpanContext(carried);
  return tracer.startSpan(name, { kind: kinds[kind], attributes: { ...spanAttributes(log), ...attributes } }, parent);
}

function unrecordedTrace(): SpanContext {
  return { traceId: randomId(16), spanId: randomId(8), traceFlags: TraceFlags.NONE };
}

const attributeNames = {
  tenantId: "tenant.id",
  jobId: "queue.job_id",
  userId: "user.id",
  requestId: "request.id",
} as const;

function spanAttributes(fields: LogFields | undefined): Attributes {
  const attributes: Attributes = {};
  for (const [key, value] of Object.entries<string | undefined>({ ...fields })) {
    attributes[attributeNames[key as keyof typeof attributeNames] ?? key] = value;
  }
  return attributes;
}

/**
 * Begins the server span of a request under Encore's own ids.
 * @param encore `currentRequest().trace`
 * @returns undefined when nobody listens or the trace is not sampled; then nothing was created.
 */
export function startRequestSpan(
  encore: EncoreTrace | undefined,
  name: string,
  attributes: Attributes,
): Span | undefined {
  const tracer = activeTracer();
  const request = tracer === undefined ? undefined : requestTraceFrom(encore);
  if (tracer === undefined || request === undefined || !isSampled(request.traceId)) return undefined;
  const { traceId, parentSpanId, correlationId } = request;
  const parent =
    parentSpanId === undefined
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, {
          traceId,
          spanId: parentSpanId,
          traceFlags: TraceFlags.SAMPLED,
          isRemote: true,
        });
  const all = {
    ...attributes,
    "request.id": request.requestId,
    ...(correlationId === undefined ? {} : { "request.correlation_id": correlationId }),
  };
  return withForcedIds(request, () => tracer.startSpan(name, { kind: SpanKind.SERVER, attributes: all }, parent));
}

/** Runs `fn` with `span` as the active one, without ending it. */
export function inSpan<T>(span: Span, fn: () => T): T {
  return context.with(trace.setSpan(context.active(), span), fn);
}

/** Marks a span as failed: the error's kind and message, no stack. */
export function failSpan(span: Span, error: unknown): void {
  const type = error instanceof Error ? error.name : typeof error;
  span.setAttribute("error.type", type);
  // Spans leave the process, as log lines do.
  const message = error instanceof Error ? error.message : errorText(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: redactText(message) });
}

function runInSpan<T>(span: Span, parent: Context, fn: (span: Span) => T): T {
  return context.with(trace.setSpan(parent, span), () => (span.isRecording() ? endWith(span, fn) : fn(span)));
}

/** Ends the span when the result settles. */
function endWith<T>(span: Span, fn: (span: Span) => T): T {
  try {
    const result = fn(span);
    if (result instanceof Promise) return endAfter(span, result) as T;
    span.end();
    return result;
  } catch (error) {
    failSpan(span, error);
    span.end();
    throw error;
  }
}

async function endAfter(span: Span, result: Promise<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

if (cfg.otel.endpoint !== undefined) onShutdown("traces", flushTraces, "idle");
