// One request to one endpoint: what was decoded, who calls, and what `currentRequest()` tells about it. Everything
// that a handler may not ask for is made when it does.
import { toPlain } from "../schema/encoder";
import { cookieText } from "../schema/header-encoder";
import { addLateFields, areLateFieldsRead } from "../schema/late-fields";
import { plainMaker } from "../schema/plain";
import { put } from "../schema/json-syntax";
import type { Payload, RequestCodec, RequestSource as CodecSource } from "../schema/request-codec";
import { atOnceOrInSlices, LARGE_CHARS, type Outcome } from "../schema/slices";
import { answerDirectly, type DirectCall } from "../native/direct-call";
import { Request, type ApiCallData, type RequestMeta, type RequestSource, type TraceData } from "../native/request";
import type { Endpoint } from "./endpoint";
import { headersOf, serviceHeaderValues, type Inbound } from "./inbound";
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
  /** The fields that came in a large body. */
  private fromLargeBody: readonly string[] | undefined;
  /** Their plain values, where the app was seen to ask for such. */
  private plainBody: Payload | undefined;
  private readonly told = new ExchangeMeta(this);
  readonly beganAtMs = Date.now();

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
    return serviceHeaderValues(headersOf(this.inbound), name, () => this.gatewayLines());
  }

  /** Path, query, headers and cookies. Throws ValueError. */
  decodeHead(): void {
    this.decoded = this.endpoint.codec(this.inbound.method).decodeHead(this);
  }

  /** The rest: at once, or that of a large body later. Fails with a ValueError. */
  decodeBody(outcome: Outcome<Payload>): void {
    const body = this.body ?? "";
    const codec = this.endpoint.codec(this.inbound.method);
    if (body.length <= LARGE_CHARS) return codec.decodeBody(body, this.decoded!, outcome);
    codec.decodeBody(body, this.decoded!, {
      done: (payload) => {
        this.fromLargeBody = codec.places.body.map((f) => f.name).filter((name) => Object.hasOwn(payload, name));
        if (areLateFieldsRead()) this.makePlainBody(body, payload, outcome);
        else outcome.done(payload);
      },
      failed: outcome.failed,
    });
  }

  /** Decodes the body once more, for what `currentRequest()` tells. */
  private makePlainBody(body: Buffer | string, payload: Payload, { done, failed }: Outcome<Payload>): void {
    const keep = (plain: Payload): void => {
      this.plainBody = plain;
      done(payload);
    };
    this.endpoint.codec(this.inbound.method).decodeBody(
      body,
      {},
      {
        done: (again) => atOnceOrInSlices(plainMaker(again), { done: keep, failed }),
        failed,
      },
    );
  }

  get readsBody(): boolean {
    return this.endpoint.kind === "typed" && this.endpoint.codec(this.inbound.method).readsBody;
  }

  get correlationId(): string | undefined {
    return headersOf(this.inbound).first("x-correlation-id")?.slice(0, MAX_CORRELATION);
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
    return answerDirectly(this.told) ?? this.told;
  }

  /** A header as `currentRequest().headers` has it; `name` is lower case. */
  header(name: string): string | string[] | undefined {
    if (this.isStream) return undefined;
    const values = serviceHeaderValues(headersOf(this.inbound), name, () =>
      isOfTrace(name) ? this.gatewayLines() : headersOf(this.inbound).forwardedLines(),
    );
    return shown(values);
  }

  get isStream(): boolean {
    return this.endpoint.kind === "stream";
  }

  /** Streams are told of none (S-13). */
  headers(): Record<string, string | string[]> {
    if (this.isStream) return {};
    return headersOf(this.inbound).visible(this.gatewayLines());
  }

  private gatewayLines(): string[] {
    const trace = this.trace.parent ?? this.trace;
    return [
      "traceparent",
      trace.traceparent,
      "tracestate",
      trace.tracestate,
      ...headersOf(this.inbound).forwardedLines(),
    ];
  }

  /** The payload as plain JSON data, untouched by what a handler does to its own. */
  plainPayload(): Payload | undefined {
    if (!this.hasPayload) return undefined;
    const codec = this.endpoint.codec(this.inbound.method);
    if (this.fromLargeBody) {
      const plain = plainOf(codec, codec.decodeHead(this));
      if (this.plainBody) for (const name of this.fromLargeBody) put(plain, name, this.plainBody[name]);
      else addLateFields(plain, this.fromLargeBody, () => plainOf(codec, codec.decode(this)));
      return plain;
    }
    return plainOf(codec, this.handed || !this.decoded ? codec.decode(this) : this.decoded);
  }
}

function plainOf(codec: RequestCodec, payload: Payload): Payload {
  const plain = toPlain(payload) as Payload;
  for (const field of codec.places.cookie) {
    const cookie = payload[field.name] as { name: string; value: unknown } | undefined;
    if (cookie) plain[field.name] = `${cookie.name}=${cookieText(cookie.value)}`;
  }
  return plain;
}

const isOfTrace = (name: string): boolean => name === "traceparent" || name === "tracestate";

/** Values that are not UTF-8 are not shown; several are a list. */
function shown(values: readonly string[]): string | string[] | undefined {
  if (values.length === 0) return undefined;
  const readable = values.some((value) => value.includes("\ufffd"))
    ? values.filter((value) => !value.includes("\ufffd"))
    : values;
  return readable.length > 1 ? [...readable] : readable[0];
}

/** What `currentRequest()` tells of an exchange: each part is made when it is asked for, once. */
class ExchangeMeta implements RequestMeta, DirectCall {
  private data: TraceData | undefined;
  private call: ApiCallData | undefined;

  constructor(private readonly exchange: Exchange) {}

  get startedAt(): string {
    return new Date(this.exchange.beganAtMs).toISOString();
  }

  get trace(): TraceData {
    return (this.data ??= traceDataOf(this.exchange));
  }

  get apiCall(): ApiCallData {
    return (this.call ??= this.makeCall());
  }

  get api(): ApiCallData["api"] {
    return this.exchange.endpoint.api;
  }

  get method(): string {
    return this.exchange.isStream ? "" : this.exchange.inbound.method;
  }

  get path(): string {
    return this.exchange.inbound.path;
  }

  header(name: string): string | string[] | undefined {
    return this.exchange.header(name);
  }

  private makeCall(): ApiCallData {
    const { exchange, api, method, path } = this;
    const payload = exchange.plainPayload();
    return {
      api,
      method,
      path,
      pathAndQuery: exchange.inbound.target,
      pathParams: payload && exchange.params.length > 0 ? pathParamsOf(exchange.endpoint, payload) : undefined,
      parsedPayload: payload,
      headers: exchange.headers(),
    };
  }
}

function traceDataOf({ trace, correlationId }: Exchange): TraceData {
  const data: TraceData = { traceId: trace.traceId, spanId: trace.spanId };
  if (trace.parent) data.parentSpanId = trace.parent.spanId;
  if (correlationId !== undefined) data.extCorrelationId = correlationId;
  return data;
}

function pathParamsOf(endpoint: Endpoint, payload: Payload): Record<string, unknown> {
  const names = endpoint.model.path.filter((s) => s.kind !== "literal").map((s) => s.value);
  return Object.fromEntries(names.filter((n) => Object.hasOwn(payload, n)).map((n) => [n, payload[n]]));
}
