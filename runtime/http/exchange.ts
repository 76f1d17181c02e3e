// One request to one endpoint: what was decoded, who calls, and what `currentRequest()` tells about it. Everything
// that a handler may not ask for is made when it does.
import { toPlain } from "../schema/encoder";
import { cookieText } from "../schema/header-encoder";
import type { Payload, RequestSource as CodecSource } from "../schema/request-codec";
import { Request, type ApiCallData, type RequestMeta, type RequestSource, type TraceData } from "../native/request";
import type { Endpoint } from "./endpoint";
import { firstHeader, forwardedLines, serviceHeaderValues, visibleHeaders, type Inbound } from "./inbound";
import type { Trace } from "../trace";

/** Who calls: the auth handler's answer, restricted to its declared type, and its JSON text for passing on. */
export interface Caller {
  userId: string;
  /** The JSON text that travels to called services. */
  text: string;
  data: Payload;
}

/** Longer correlation ids are cut (contract 3.11). */
const MAX_CORRELATION = 64;

export class Exchange implements RequestSource, CodecSource {
  readonly request = new Request(this);
  readonly startedAt = performance.now();
  caller: Caller | null = null;
  /** Whether a service calls, which may reach endpoints that are not exposed. */
  isInside = false;
  body: Buffer | string | undefined;
  private decoded: Payload | undefined;
  private handed = false;
  private known: RequestMeta | undefined;
  private readonly began = Date.now();

  constructor(
    readonly endpoint: Endpoint,
    readonly inbound: Inbound,
    readonly params: readonly (string | undefined)[],
    readonly trace: Trace,
  ) {}

  get query(): string {
    return this.inbound.query;
  }

  headerValues(name: string): readonly string[] {
    return serviceHeaderValues(this.inbound.lines, name, () => this.gatewayLines());
  }

  /** Path, query, headers and cookies. Throws ValueError. */
  decodeHead(): void {
    this.decoded = this.endpoint.codec(this.inbound.method).decodeHead(this);
  }

  decodeBody(): void {
    this.endpoint.codec(this.inbound.method).decodeBody(this.body ?? "", this.decoded!);
  }

  get readsBody(): boolean {
    return this.endpoint.kind === "typed" && this.endpoint.codec(this.inbound.method).readsBody;
  }

  get correlationId(): string | undefined {
    return firstHeader(this.inbound.lines, "x-correlation-id")?.slice(0, MAX_CORRELATION);
  }

  /** Whether the handler gets a payload at all: streams without a handshake type do not. Path parameters imply one. */
  private get hasPayload(): boolean {
    return (
      this.endpoint.kind !== "stream" || (this.endpoint.model.handshake ?? null) !== null || this.params.length > 0
    );
  }

  /** Fresh values for each call; the first gets those that were decoded. */
  payload(): Payload | null {
    if (!this.hasPayload) return null;
    if (!this.handed && this.decoded) {
      this.handed = true;
      return this.decoded;
    }
    return this.endpoint.codec(this.inbound.method).decode(this);
  }

  authData(): unknown {
    return this.caller?.data ?? null;
  }

  meta(): RequestMeta {
    const { began } = this;
    return (this.known ??= {
      get startedAt() {
        return new Date(began).toISOString();
      },
      trace: this.traceData(),
      apiCall: this.apiCall(),
    });
  }

  private traceData(): TraceData {
    const { trace } = this;
    const data: TraceData = { traceId: trace.traceId, spanId: trace.spanId };
    if (trace.parent) data.parentSpanId = trace.parent.spanId;
    const correlation = this.correlationId;
    if (correlation !== undefined) data.extCorrelationId = correlation;
    return data;
  }

  private apiCall(): ApiCallData {
    const { inbound, endpoint } = this;
    const isStream = endpoint.kind === "stream";
    const payload = this.hasPayload ? this.plainPayload() : undefined;
    return {
      api: endpoint.api,
      method: isStream ? "" : inbound.method,
      path: inbound.path,
      pathAndQuery: inbound.target,
      pathParams: payload && this.params.length > 0 ? this.pathParams(payload) : undefined,
      parsedPayload: payload,
      headers: isStream ? {} : this.headers(),
    };
  }

  private headers(): Record<string, string | string[]> {
    return visibleHeaders(this.inbound.lines, this.gatewayLines());
  }

  private gatewayLines(): string[] {
    const trace = this.trace.parent ?? this.trace;
    return ["traceparent", trace.traceparent, "tracestate", trace.tracestate, ...forwardedLines(this.inbound)];
  }

  private pathParams(payload: Payload): Record<string, unknown> {
    const names = this.endpoint.model.path.filter((s) => s.kind !== "literal").map((s) => s.value);
    return Object.fromEntries(names.filter((n) => Object.hasOwn(payload, n)).map((n) => [n, payload[n]]));
  }

  /** The payload as plain JSON data, untouched by what a handler does to its own. */
  private plainPayload(): Payload {
    const codec = this.endpoint.codec(this.inbound.method);
    const payload = this.handed || !this.decoded ? codec.decode(this) : this.decoded;
    const plain = toPlain(payload) as Payload;
    for (const field of codec.places.cookie) {
      const cookie = payload[field.name] as { name: string; value: unknown } | undefined;
      if (cookie) plain[field.name] = `${cookie.name}=${cookieText(cookie.value)}`;
    }
    return plain;
  }
}
