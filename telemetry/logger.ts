// Structured logs: one JSON object a line on standard error, each with the trace it belongs to and with
// nothing secret in it. A component's logger is cheap to keep: `const log = logger("relay")`.
import pino, { type DestinationStream, type Logger } from "pino";
import { createRequire } from "node:module";
import { currentRequest } from "encore.dev";
import { getAuthData } from "encore.dev/internal/codegen/auth";

import { cfg } from "../config";
import { currentLogFields } from "./log-context";
import { redactFields, redactText } from "./redaction";
import { currentSpanContext } from "./trace-context";

const root = createLogger(standardError());

/** The logger of one component; every line carries `component`, `traceId`, `spanId`, `requestId` and `tenantId` where they are known. */
export function logger(component: string): Logger {
  return root.child({ component });
}

/** A root logger writing to `destination`: for tests and tools. */
export function createLogger(destination: DestinationStream, level: string = cfg.log.level): Logger {
  return pino(
    {
      level,
      base: { service: cfg.otel.serviceName },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: "message",
      mixin: currentFields,
      serializers: { err: serialiseError, error: serialiseError },
      formatters: { level: (label) => ({ level: label }), log: redactFields },
    },
    { write: (line) => destination.write(redactText(line)) },
  );
}

/** Errors carry fields of their own (a driver's request, for example): redacted like any other. */
function serialiseError(error: Error): Record<string, unknown> {
  return redactFields({ ...pino.stdSerializers.errWithCause(error) });
}

function standardError(): DestinationStream {
  if (cfg.log.pretty) {
    const pretty = createRequire(import.meta.url)("pino-pretty") as (options: object) => DestinationStream;
    return pretty({ destination: 2, sync: true, messageKey: "message", ignore: "pid,hostname,service" });
  }
  return pino.destination({ fd: 2, sync: true });
}

function currentFields(): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...currentLogFields() };
  const span = currentSpanContext();
  if (span !== undefined) Object.assign(fields, { traceId: span.traceId, spanId: span.spanId });
  const request = currentRequest();
  if (request !== undefined) addRequestFields(fields, request);
  return fields;
}

function addRequestFields(
  fields: Record<string, unknown>,
  request: NonNullable<ReturnType<typeof currentRequest>>,
): void {
  fields.requestId ??= request.trace?.traceId;
  if (request.trace?.extCorrelationId !== undefined) fields.correlationId = request.trace.extCorrelationId;
  if (request.type !== "api-call") return;
  fields.route = `${request.api.service}.${request.api.endpoint}`;
  const caller = getAuthData<{ userID: string; tenantId?: string }>();
  if (caller === null) return;
  fields.userId ??= caller.userID;
  fields.tenantId ??= caller.tenantId;
}
