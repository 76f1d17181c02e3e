// Where the current trace is known from: an active OpenTelemetry span (jobs, consumers, sampled requests)
// or else Encore's own request. Encore prints ids in base32 (contract T-10), everybody else in hex.
import { currentRequest } from "encore.dev";
import {
  context,
  isSpanContextValid,
  trace,
  TraceFlags,
  type ContextManager,
  type Context,
  type SpanContext,
  ROOT_CONTEXT,
} from "@opentelemetry/api";

import { AsyncVariable } from "./async-variable";
import { directCall } from "./current-call";

const alphabet = "0123456789abcdefghijklmnopqrstuv";
const digits = new Int8Array(128).fill(-1);
for (let i = 0; i < alphabet.length; i++) digits[alphabet.charCodeAt(i)] = i;

/**
 * Encore's base32 (alphabet 0-9a-v, no padding) as lower-case hex: 26 characters → a trace id of 32, 13 → a span id of 16.
 * @returns undefined when the text is no such id.
 */
export function hexFromBase32(text: string, bytes: 8 | 16): string | undefined {
  if (text.length !== Math.ceil((bytes * 8) / 5)) return undefined;
  let hex = "";
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = digits[text.charCodeAt(i)] ?? -1;
    if (digit < 0) return undefined;
    held = (held << 5) | digit;
    bits += 5;
    while (bits >= 4 && hex.length < bytes * 2) {
      bits -= 4;
      hex += ((held >> bits) & 15).toString(16);
    }
    held &= (1 << bits) - 1;
  }
  return hex;
}

/** A trace id of 32 hex digits as Encore prints it: 26 digits of 5 bits, two spare ones at the end. */
export function base32FromHex(hex: string): string {
  return (BigInt(`0x${hex}`) << 2n).toString(32).padStart(26, "0");
}

/** Encore's ids of one request: `traceId` and `spanId` in hex, `requestId` as `x-encore-trace-id` shows it. */
export interface RequestTrace {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  requestId: string;
  correlationId?: string;
}

/** What Encore hands over as `currentRequest().trace`. */
export interface EncoreTrace {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  extCorrelationId?: string;
}

/** Turns Encore's ids into OpenTelemetry's; undefined when Encore gave none or unknown ones. */
export function requestTraceFrom(encore: EncoreTrace | undefined): RequestTrace | undefined {
  if (encore === undefined) return undefined;
  const traceId = hexFromBase32(encore.traceId, 16);
  const spanId = hexFromBase32(encore.spanId, 8);
  if (traceId === undefined || spanId === undefined) return undefined;
  const parentSpanId = encore.parentSpanId === undefined ? undefined : hexFromBase32(encore.parentSpanId, 8);
  return {
    traceId,
    spanId,
    requestId: encore.traceId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    ...(encore.extCorrelationId === undefined ? {} : { correlationId: encore.extCorrelationId }),
  };
}

/** The current trace: of the active span, else of Encore's request, else undefined. */
export function currentSpanContext(): SpanContext | undefined {
  const active = trace.getSpanContext(context.active());
  if (active !== undefined && isSpanContextValid(active)) return active;
  const request = requestTraceFrom(currentTrace());
  return request === undefined
    ? undefined
    : { traceId: request.traceId, spanId: request.spanId, traceFlags: TraceFlags.NONE };
}

/** The id that a caller sees as `x-encore-trace-id` and in `details.requestId`; empty outside requests. */
export function currentRequestId(): string {
  return currentTrace()?.traceId ?? "";
}

const currentTrace = (): EncoreTrace | undefined => directCall()?.trace ?? currentRequest()?.trace;

/** Keeps the active context across awaits. */
export class AsyncContextManager implements ContextManager {
  private readonly current = new AsyncVariable<Context>();

  active(): Context {
    return this.current.get() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.current.run(active, () => fn.call(thisArg, ...args));
  }

  bind<T>(bound: Context, target: T): T {
    if (typeof target !== "function") return target;
    const call = target as unknown as (...args: unknown[]) => unknown;
    return ((...args: unknown[]) => this.current.run(bound, () => call(...args))) as unknown as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}
