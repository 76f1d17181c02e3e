// The native Request (contract 13.3): what the SDK keeps as the current request. Whoever makes one, an HTTP
// exchange, a delivered message or an authentication, stands behind it as its source.

export interface TraceData {
  traceId: string;
  spanId: string;
  parentTraceId?: string;
  parentSpanId?: string;
  extCorrelationId?: string;
}

export interface ApiCallData {
  api: { service: string; endpoint: string; raw: boolean; requiresAuth: boolean; tags: string[] };
  method: string;
  path: string;
  pathAndQuery: string;
  pathParams?: Record<string, unknown>;
  parsedPayload?: Record<string, unknown>;
  headers: Record<string, string | string[]>;
}

export interface PubSubMessageData {
  service: string;
  topic: string;
  subscription: string;
  id: string;
  publishedAt: string;
  deliveryAttempt: number;
  parsedPayload?: unknown;
}

export interface RequestMeta {
  /** RFC 3339. */
  startedAt: string;
  trace?: TraceData;
  apiCall?: ApiCallData;
  pubsubMessage?: PubSubMessageData;
}

export interface RequestSource {
  /** What the handler receives; null when it takes nothing. */
  payload(): unknown;
  meta(): RequestMeta;
  /** The authenticated caller's data, restricted to its declared type; null without one. */
  authData(): unknown;
  /** The JSON text that `payload()` is decoded from, where it can be passed on to another thread. */
  readonly text?: string;
}

export class Request {
  /** Set by the SDK when middleware left data for the handler. */
  middlewareData?: unknown;
  readonly #source: RequestSource;

  constructor(source: RequestSource) {
    this.#source = source;
  }

  payload(): unknown {
    return this.#source.payload();
  }

  meta(): RequestMeta {
    return this.#source.meta();
  }

  getAuthData(): unknown {
    return this.#source.authData();
  }

  /**
   * The SDK's RawRequest keeps this under `req`, where node's own streams look for the request that a client sent:
   * `finished`, and with it `Readable.toWeb` and `pipeline`, take their listener off it.
   */
  removeListener(): this {
    return this;
  }

  /** The source of a request, for the parts of the host that pass it on. Not part of napi.d.cts. */
  static sourceOf(request: Request): RequestSource {
    return request.#source;
  }
}
