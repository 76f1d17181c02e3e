// The one way into every endpoint (README, "One request's way"): context → limits → permissions → idempotency →
// endpoint → errors → headers. What it enforces is read off the endpoint's tags; an exposed endpoint without them is closed.
// One pass, and nothing is created for a trace that nobody records: every layer costs every request.
import type { Span } from "@opentelemetry/api";
import {
  HandlerResponse,
  middleware,
  type APIError,
  type Middleware,
  type MiddlewareRequest,
  type Next,
} from "encore.dev/api";

import { cfg } from "../config";
import { errorsTotal } from "../telemetry/metrics";
import { currentCall, type CurrentCall } from "../telemetry/current-call";
import { logger } from "../telemetry/logger";
import { beginWork, endWork } from "../telemetry/shutdown";
import { failSpan, inSpan, isTracing, startRequestSpan, withSpan } from "../telemetry/tracing";
import { admit } from "./admission";
import { setHeaders, setRawHeaders, setRawStanding, statusOf } from "./answer";
import { findPolicy, type EndpointPolicy } from "./endpoint-policy";
import { reasonOf } from "./errors";
import { noteGuarded } from "./guard-check";
import { onceOnly } from "./idempotency";
import { httpStatusOf, normaliseError } from "./normalise";
import type { Standing } from "./rate-limit-headers";
import { refuseInForm } from "./refusal-forms";

/** Everything a service's endpoints need in front of them: `new Service("name", { middlewares: guardOf("name") })`. */
export function guardOf(service: string): Middleware[] {
  noteGuarded(service);
  return layers;
}

const layers: Middleware[] = [
  middleware({ target: { expose: true } }, (req, next) => guardCall(req, next, admit)),
  // Calls between our services: admitted at their edge already, so neither limited nor asked for permissions.
  middleware({ target: { expose: false } }, (req, next) => guardCall(req, next, undefined)),
];

type Admission = typeof admit | undefined;

/** One call on its way through. */
interface Passage {
  req: MiddlewareRequest;
  next: Next;
  call: CurrentCall;
  policy: EndpointPolicy;
  admission: Admission;
  startedAtMs: number;
  span: Span | undefined;
  /** Of a limit that is nearly used up. */
  standing: Standing | undefined;
}

/**
 * The call with everything around it. Nothing here waits by itself, and a promise is made only where something does: on
 * Node 20 each costs as much as a counter (bench/README.md).
 */
function guardCall(req: MiddlewareRequest, next: Next, admission: Admission): Promise<HandlerResponse> {
  const call = currentCall(() => req.requestMeta);
  if (call === undefined) return next(req);
  const policy = findPolicy(call.api);
  setRawHeaders(req, policy);
  if (policy.isProbe) return next(req);
  const startedAtMs = performance.now();
  const span = isTracing() ? startSpan(call, policy) : undefined;
  const passage: Passage = { req, next, call, policy, admission, startedAtMs, span, standing: undefined };
  beginWork();
  return run(passage).then(
    (response) => passed(passage, response),
    (thrown: unknown) => failed(passage, thrown),
  );
}

/** Never throws by itself. */
function run(passage: Passage): Promise<HandlerResponse> {
  try {
    return passage.span === undefined ? runCall(passage) : inSpan(passage.span, () => runTraced(passage));
  } catch (refusal) {
    return Promise.reject(refusal);
  }
}

function runCall(passage: Passage): Promise<HandlerResponse> {
  return proceed(passage, passage.admission?.(passage.call, passage.policy, undefined));
}

function runTraced(passage: Passage): Promise<HandlerResponse> {
  const { admission, call, policy, span } = passage;
  return proceed(passage, admission && withSpan("guard", {}, () => admission(call, policy, span)));
}

function proceed(passage: Passage, admitted: ReturnType<NonNullable<Admission>>): Promise<HandlerResponse> {
  if (!(admitted instanceof Promise)) return enter(passage, admitted);
  return admitted.then((standing) => enter(passage, standing));
}

function enter(passage: Passage, standing: Standing | undefined): Promise<HandlerResponse> {
  const { req, next } = passage;
  if (standing !== undefined) {
    passage.standing = standing;
    setRawStanding(req, standing);
  }
  // What is called between our services was let in, and is repeated, at its edge.
  if (passage.policy.isIdempotent && passage.admission !== undefined) return onceOnly(req, next, passage.call);
  return next(req);
}

function passed(passage: Passage, response: HandlerResponse): HandlerResponse {
  try {
    setHeaders(response, passage.call, passage.policy, passage.standing);
    record(passage, statusOf(passage.req, response));
  } catch (thrown) {
    return failed(passage, thrown);
  }
  endWork();
  return response;
}

function failed(passage: Passage, thrown: unknown): HandlerResponse {
  const { req, policy } = passage;
  closeStream(req);
  try {
    const error = answerError(passage, thrown);
    const isWritten =
      policy.refusalForm !== undefined && refuseInForm(req, policy.refusalForm, error, httpStatusOf(error));
    // A raw endpoint's result is passed over.
    if (isWritten) return new HandlerResponse(undefined);
    throw error;
  } finally {
    endWork();
  }
}

/** The host leaves a stream open whose handler failed (contract S-9), so one that was refused would stay. */
function closeStream({ stream }: MiddlewareRequest): void {
  if (stream === undefined || !("close" in stream)) return;
  try {
    stream.close();
  } catch {
    // The other side was faster.
  }
}

function startSpan(call: CurrentCall, policy: EndpointPolicy): Span | undefined {
  const { method, path, trace } = call;
  return startRequestSpan(trace, `${method} ${policy.route}`, {
    "http.request.method": method,
    "http.route": policy.route,
    "url.path": path,
  });
}

/** The error to answer: counted, logged where needed, recorded. */
function answerError(passage: Passage, thrown: unknown): APIError {
  const { span } = passage;
  const error = span === undefined ? normaliseError(thrown) : inSpan(span, () => normaliseError(thrown));
  const status = httpStatusOf(error);
  const reason = reasonOf(error) ?? error.code;
  errorsTotal.add(1, { type: reason });
  if (span !== undefined && status >= 500) failSpan(span, error);
  record(passage, status, reason);
  return error;
}

const log = logger("guard");
/** In development a line for each write would hide what a person looks for; `groundwork trace` has it all the same. */
const writesAt = cfg.env === "production" ? "info" : "debug";

/** Writes leave a line, so that the id in an answer leads somewhere; reads leave one only when they fail. */
function logWrite({ call, policy }: Passage, status: number, durationMs: number, reason?: string): void {
  if (call.method === "GET" || call.method === "HEAD" || !log.isLevelEnabled(writesAt)) return;
  const refused = reason === undefined ? {} : { reason };
  log[writesAt](
    { method: call.method, route: policy.route, status, ...refused, durationMs: Math.round(durationMs) },
    "request",
  );
}

function record(passage: Passage, status: number, reason?: string): void {
  const { call, policy, span, startedAtMs } = passage;
  const durationMs = performance.now() - startedAtMs;
  policy.seriesOf(call.method).record(status, durationMs / 1000);
  logWrite(passage, status, durationMs, reason);
  if (span === undefined) return;
  span.setAttribute("http.response.status_code", status);
  span.end();
}
