// What a line says about the request it was written in. Computed once per request, because a
// handler may log often and building the request's metadata is not free.

export interface RequestTrace {
  traceId: string;
  spanId: string;
  parentTraceId?: string;
  parentSpanId?: string;
  extCorrelationId?: string;
}

/** The part of the native `Request` that logging reads. */
export interface LoggedRequest {
  meta(): {
    trace?: RequestTrace;
    apiCall?: { api: { service: string; endpoint: string } };
    pubsubMessage?: { service: string; topic: string; subscription: string };
  };
  getAuthData(): unknown;
}

export type Fields = Record<string, unknown>;

const known = new WeakMap<object, Fields>();

function userIdOf(request: LoggedRequest): string | undefined {
  const data = request.getAuthData();
  if (typeof data !== "object" || data === null) return undefined;
  const id = (data as { userID?: unknown }).userID;
  return typeof id === "string" ? id : undefined;
}

function addTrace(fields: Fields, trace: RequestTrace | undefined, isMessage: boolean): void {
  if (!trace) return;
  fields.trace_id = trace.traceId;
  fields.span_id = trace.spanId;
  // A message without an outside correlation id is correlated by its publisher's trace.
  const correlation = trace.extCorrelationId ?? (isMessage ? trace.parentTraceId : undefined);
  if (correlation !== undefined) fields.x_correlation_id = correlation;
}

function compute(request: LoggedRequest): Fields {
  const { trace, apiCall, pubsubMessage } = request.meta();
  const fields: Fields = {};
  if (apiCall) {
    fields.service = apiCall.api.service;
    fields.endpoint = apiCall.api.endpoint;
    const uid = userIdOf(request);
    if (uid !== undefined) fields.uid = uid;
  } else if (pubsubMessage) {
    fields.service = pubsubMessage.service;
    fields.topic = pubsubMessage.topic;
    fields.subscription = pubsubMessage.subscription;
  }
  addTrace(fields, trace, pubsubMessage !== undefined);
  return fields;
}

/** Fields that identify `request` in a log line; the same object for the same request. */
export function requestFields(request: LoggedRequest): Fields {
  const found = known.get(request);
  if (found) return found;
  const fields = compute(request);
  known.set(request, fields);
  return fields;
}
