// The lines that the host writes about requests (contract H-107, A-12). Nothing is built when nobody reads them.
import type { HostLog } from "../host";
import type { AuthHandlerModel } from "../model";
import type { Exchange } from "./exchange";
import type { Failure } from "./failure";
import type { Trace } from "../trace";

type Fields = Record<string, unknown>;

const round = (ms: number): number => Math.round(ms * 1e6) / 1e6;

/** The error as the log shows it: the internal text, which clients do not see. */
function errorOf(failure: Failure): Error {
  const error = new Error(failure.internal ?? failure.message);
  error.stack = "";
  return error;
}

export class RequestLog {
  private readonly info: boolean;

  constructor(private readonly log: HostLog) {
    this.info = log.enabled?.("info") ?? true;
  }

  /** Fields of X-41 that say which request a line is about; the same object for each of its lines. */
  private about(exchange: Exchange): Fields {
    return (exchange.logFields ??= this.describe(exchange));
  }

  private describe(exchange: Exchange): Fields {
    const { api } = exchange.endpoint;
    const fields: Fields = { service: api.service, endpoint: api.endpoint, trace_id: exchange.trace.traceId, span_id: exchange.trace.spanId };
    if (exchange.caller) fields.uid = exchange.caller.userId;
    const correlation = exchange.correlationId;
    if (correlation !== undefined) fields.x_correlation_id = correlation;
    return fields;
  }

  started(exchange: Exchange): void {
    if (this.info) this.log.info("starting request", this.about(exchange));
  }

  completed(exchange: Exchange, code: string, failure: Failure | null): void {
    if (failure) {
      const internal = failure.internal === null ? {} : { internal_message: failure.internal };
      this.log.error("request failed", errorOf(failure), { ...this.about(exchange), code, ...internal });
    }
    if (!this.info) return;
    const fields = this.about(exchange);
    fields.code = code;
    fields.duration = round(performance.now() - exchange.startedAt);
    this.log.info("request completed", fields);
  }

  warn(exchange: Exchange, message: string): void {
    this.log.warn(message, this.describe(exchange));
  }

  /** Logs the start of an auth handler; the answer logs its end. */
  auth(trace: Trace, model: AuthHandlerModel): (failure: Failure | null) => void {
    if (!this.info) return (failure) => this.authFailed(failure, trace, model);
    const about: Fields = { service: model.service, endpoint: model.name, trace_id: trace.traceId, span_id: trace.spanId };
    const start = performance.now();
    this.log.info("running auth handler", about);
    return (failure) => {
      this.authFailed(failure, trace, model);
      about.duration = round(performance.now() - start);
      this.log.info("auth handler completed", about);
    };
  }

  private authFailed(failure: Failure | null, trace: Trace, model: AuthHandlerModel): void {
    if (!failure) return;
    const about = { service: model.service, endpoint: model.name, trace_id: trace.traceId, span_id: trace.spanId };
    if (failure.code === "unauthenticated") this.log.debug("auth handler returned unauthenticated", about);
    else this.log.error("auth handler failed", errorOf(failure), { ...about, code: failure.code });
  }
}
