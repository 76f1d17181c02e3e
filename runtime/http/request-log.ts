// The lines that the host writes about requests (contract H-107, A-12). Nothing is built when nobody reads them.
import type { Host, HostLog, PreparedLine } from "../host";
import type { AuthHandlerModel } from "../model";
import type { Endpoint } from "./endpoint";
import type { Exchange } from "./exchange";
import type { Failure } from "./failure";
import type { Trace } from "../trace";

type Fields = Record<string, unknown>;

/** Fields that tell requests of one endpoint apart. */
const WHO = ["trace_id", "span_id", "uid", "x_correlation_id"];
const ENDED = [...WHO, "code", "duration"];
const SPAN = ["trace_id", "span_id"];

/** The two lines of an endpoint or of an auth handler; null when nobody reads them. */
interface Lines {
  start: PreparedLine | null;
  end: PreparedLine | null;
}

const FIRST_SERVER_ERROR = 500;

const round = (ms: number): number => Math.round(ms * 1e6) / 1e6;

/** The error as the log shows it: the internal text, which clients do not see. */
function errorOf(failure: Failure): Error {
  const error = new Error(failure.internal ?? failure.message);
  error.stack = "";
  return error;
}

function describe({ endpoint, trace, caller, correlationId }: Exchange): Fields {
  const { service, endpoint: name } = endpoint.api;
  return {
    service,
    endpoint: name,
    trace_id: trace.traceId,
    span_id: trace.spanId,
    uid: caller?.userId,
    x_correlation_id: correlationId,
  };
}

export class RequestLog {
  private readonly known = new Map<Endpoint, Lines>();
  private authLines: Lines | undefined;

  constructor(
    private readonly log: HostLog,
    private readonly count: Host["countRequest"] = undefined,
  ) {}

  private linesOf(endpoint: Endpoint): Lines {
    let lines = this.known.get(endpoint);
    if (!lines) {
      const { service, endpoint: name } = endpoint.api;
      const fixed = { service, endpoint: name };
      lines = {
        start: this.log.prepareInfo("starting request", fixed, WHO),
        end: this.log.prepareInfo("request completed", fixed, ENDED),
      };
      this.known.set(endpoint, lines);
    }
    return lines;
  }

  started(exchange: Exchange): void {
    const { trace, caller } = exchange;
    this.linesOf(exchange.endpoint).start?.([trace.traceId, trace.spanId, caller?.userId, exchange.correlationId]);
  }

  completed(exchange: Exchange, code: string, failure: Failure | null): void {
    this.count?.(exchange.endpoint.api.service, exchange.endpoint.api.endpoint, code);
    if (failure) {
      const internal = failure.internal === null ? {} : { internal_message: failure.internal };
      this.failed("request failed", failure, { ...describe(exchange), code, ...internal });
    }
    const { end } = this.linesOf(exchange.endpoint);
    if (!end) return;
    const { trace, caller } = exchange;
    end([
      trace.traceId,
      trace.spanId,
      caller?.userId,
      exchange.correlationId,
      code,
      round(performance.now() - exchange.startedAt),
    ]);
  }

  /** An error of a raw endpoint's request or response that its handler does not listen to. */
  unheard(exchange: Exchange, error: unknown): void {
    this.log.error("an error of a raw endpoint that nothing listens to", error, describe(exchange));
  }

  warn(exchange: Exchange, message: string): void {
    this.log.warn(message, describe(exchange));
  }

  /** Logs the start of an auth handler; the answer logs its end. */
  auth(trace: Trace, model: AuthHandlerModel): (failure: Failure | null) => void {
    const { start, end } = (this.authLines ??= this.linesOfAuth(model));
    if (!start || !end) return (failure) => this.authEnded(failure, trace, model);
    const began = performance.now();
    start([trace.traceId, trace.spanId]);
    return (failure) => {
      this.authEnded(failure, trace, model);
      end([trace.traceId, trace.spanId, round(performance.now() - began)]);
    };
  }

  private linesOfAuth(model: AuthHandlerModel): Lines {
    const fixed = { service: model.service, endpoint: model.name };
    return {
      start: this.log.prepareInfo("running auth handler", fixed, SPAN),
      end: this.log.prepareInfo("auth handler completed", fixed, [...SPAN, "duration"]),
    };
  }

  private authEnded(failure: Failure | null, trace: Trace, model: AuthHandlerModel): void {
    this.count?.(model.service, model.name, failure?.code ?? "ok");
    if (!failure) return;
    const about = { service: model.service, endpoint: model.name, trace_id: trace.traceId, span_id: trace.spanId };
    if (failure.code === "unauthenticated") this.log.debug("auth handler returned unauthenticated", about);
    else this.failed("auth handler failed", failure, { ...about, code: failure.code });
  }

  /** A caller's mistake (4xx) is no error of the app: operators are woken by errors. */
  private failed(message: string, failure: Failure, fields: Fields): void {
    if (failure.status >= FIRST_SERVER_ERROR) this.log.error(message, errorOf(failure), fields);
    else this.log.info(message, { ...fields, error: failure.internal ?? failure.message });
  }
}
