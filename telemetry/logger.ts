// Structured logs: one JSON object a line on standard error, each with the trace it belongs to and with
// nothing secret in it. A component's logger is cheap to keep: `const log = logger("relay")`.
import pino, { type DestinationStream, type Logger } from "pino";
import { createRequire } from "node:module";
import { inspect } from "node:util";
import { currentRequest } from "encore.dev";
import { getAuthData } from "encore.dev/internal/codegen/auth";

import { cfg } from "../config";
import { currentLogFields } from "./log-context";
import { redactFields, redactText } from "./redaction";
import { currentRequestId, currentSpanContext } from "./trace-context";

const root = createLogger(standardError());

/** The logger of one component; every line carries `component`, `traceId`, `spanId`, `requestId` and `tenantId` where they are known. */
export function logger(component: string): Logger {
  return root.child({ component });
}

/** Without the frames of packages and of Node. */
function ownLines(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^\s+at .*(?:node_modules\/|node:)/.test(line))
    .join("\n");
}

/**
 * Logs an error that is a bug of ours. In tests, where log lines are not shown, it is printed for a person: with its
 * causes and the stack of the handler, because the test itself only sees "an internal error occurred".
 */
export function logBug(log: Logger, error: unknown, message: string): void {
  log.error({ err: error }, message);
  // By the configured level: a logger whose lines are kept takes all of them, and still shows none.
  if (cfg.env === "test" && (pino.levels.values[cfg.log.level] ?? Infinity) > (pino.levels.values.error ?? 0))
    process.stderr.write(
      redactText(`\n${message} (request ${currentRequestId() || "unknown"}):\n${ownLines(inspect(error))}\n`),
    );
}

/** A root logger writing to `destination`: for tests and tools. */
export function createLogger(destination: DestinationStream, level: string = cfg.log.level): Logger {
  const keep = keptLines();
  return pino(
    {
      level: keep === undefined ? level : leastOf(level, "debug"),
      base: { service: cfg.otel.serviceName },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: "message",
      mixin: currentFields,
      serializers: { err: serialiseError, error: serialiseError },
      formatters: { level: (label) => ({ level: label }), log: redactFields },
    },
    keep === undefined
      ? { write: (line) => destination.write(redactText(line)) }
      : keepingToo(destination, pino.levels.values[level] ?? Infinity, keep),
  );
}

/** The plain-Node host keeps the last lines of an app in development, for `groundwork trace`; elsewhere nobody asks. */
function keptLines(): ((line: string) => void) | undefined {
  return (globalThis as { [key: symbol]: unknown })[Symbol.for("groundwork.keepLine")] as
    ((line: string) => void) | undefined;
}

function leastOf(a: string, b: string): string {
  return (pino.levels.values[a] ?? Infinity) < (pino.levels.values[b] ?? Infinity) ? a : b;
}

/** What is shown starts at `shownFrom`; what is kept is everything that is written. */
function keepingToo(
  destination: DestinationStream,
  shownFrom: number,
  keep: (line: string) => void,
): DestinationStream {
  const stream = {
    // pino sets the level of a line on a stream that carries this symbol, before it writes.
    [pino.symbols.needsMetadataGsym as symbol]: true,
    lastLevel: 0,
    write(line: string): void {
      const text = redactText(line);
      if (stream.lastLevel >= shownFrom) destination.write(text);
      keep(text);
    },
  };
  return stream;
}

/** Errors carry fields of their own (a driver's request, for example): redacted like any other. */
function serialiseError(error: Error): Record<string, unknown> {
  return redactFields(withoutRows({ ...pino.stdSerializers.errWithCause(error) }));
}

/** What Postgres says of rows. Our own pool's errors have none of it any more (db/errors.ts); those of other libraries' connections do. */
const ROW_FIELDS = ["detail", "where", "hint", "internalQuery"];

function withoutRows(fields: Record<string, unknown>): Record<string, unknown> {
  const isOfPostgres = typeof fields.severity === "string" && typeof fields.code === "string";
  if (isOfPostgres) for (const name of ROW_FIELDS) delete fields[name];
  const { cause } = fields;
  if (typeof cause === "object" && cause !== null) fields.cause = withoutRows({ ...cause });
  return fields;
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
