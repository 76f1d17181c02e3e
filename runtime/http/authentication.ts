// The gateway's authentication (contract section 4): whether a request carries credentials, the auth handler's
// answer, and what of it services may see.
import type { AuthHandlerModel } from "../model";
import { asPayload, encodeValue, readKey } from "../schema/encoder";
import { DecodeError } from "../schema/errors";
import type { StructDecoder } from "../schema/json-decoder";
import { JsonReader } from "../schema/json-reader";
import { whole } from "../schema/pace";
import { wireName, type Payload, type RequestCodec, type RequestSource as CodecSource } from "../schema/request-codec";
import { eachPair, parseCookies } from "../schema/url-text";
import { Request, type RequestMeta, type RequestSource } from "../native/request";
import type { EndpointCompiler, Handler } from "./endpoint";
import type { Caller } from "./exchange";
import { fromCodec, fromThrown, Failure, unfitAuthData } from "./failure";
import { headersOf, serviceHeaderValues, type Inbound } from "./inbound";
import { invoke } from "./invoke";
import { plainReader, type PlainReader } from "./plain-auth-data";
import type { RequestLog } from "./request-log";
import type { Trace } from "../trace";

/** What came of it: a caller, nobody (with the error for endpoints that need one), or a failed request. */
export interface AuthOutcome {
  known(caller: Caller): void;
  nobody(reason: Failure): void;
  failed(failure: Failure, atGateway: boolean): void;
}

const NO_CREDENTIALS = new Failure(
  "unauthenticated",
  "the request does not have valid authentication credentials for the operation",
);

class AuthRequest implements RequestSource, CodecSource {
  readonly request = new Request(this);
  readonly params = [];
  body: undefined;
  private decoded: Payload | undefined;
  private readonly began = Date.now();

  constructor(
    private readonly codec: RequestCodec,
    private readonly inbound: Inbound,
    readonly trace: Trace,
  ) {}

  get query(): string {
    return this.inbound.query;
  }

  headerValues(name: string): readonly string[] {
    return credentialValues(this.inbound, name);
  }

  /** Throws ValueError. */
  decode(): void {
    this.decoded = this.codec.decode(this);
  }

  /** Fresh values for each call; the first gets those that were decoded. */
  payload(): unknown {
    const { decoded } = this;
    this.decoded = undefined;
    return decoded ?? this.codec.decode(this);
  }

  /** No `apiCall`: the SDK's `currentRequest()` is undefined inside auth handlers. */
  meta(): RequestMeta {
    const { began } = this;
    return {
      get startedAt() {
        return new Date(began).toISOString();
      },
      trace: { traceId: this.trace.traceId, spanId: this.trace.spanId },
    };
  }

  authData(): null {
    return null;
  }
}

/** A header as the auth handler sees it: behind the forwarding headers, before the trace (contract 3.11, A-2). */
function credentialValues(inbound: Inbound, name: string): readonly string[] {
  const headers = headersOf(inbound);
  return serviceHeaderValues(headers, name, () => headers.forwardedLines());
}

/** A caller whose text is made when it travels: from a copy, because the app may write into its data. */
class PlainCaller implements Caller {
  private readonly copy: Payload;

  constructor(
    readonly userId: string,
    readonly data: Payload,
  ) {
    this.copy = { ...data };
  }

  get text(): string {
    return encodeValue(this.copy);
  }
}

export class Authenticator {
  private handler: Handler | undefined;
  readonly codec: RequestCodec;
  private readonly decodeData: StructDecoder;
  private readonly readPlain: PlainReader | null;
  private readonly headers: string[];
  private readonly cookies: string[];
  private readonly queries: Set<string>;

  constructor(
    readonly model: AuthHandlerModel,
    compiler: EndpointCompiler,
    private readonly log: RequestLog,
  ) {
    this.codec = compiler.request(model.params, { path: [] }, "query");
    const { header, cookie, query } = this.codec.places;
    this.headers = header.map((f) => wireName(f).toLowerCase());
    this.cookies = cookie.map(wireName);
    this.queries = new Set(query.map((f) => f.name));
    const data = compiler.resolver.struct(model.data) ?? { kind: "struct", fields: [] };
    this.decodeData = compiler.json.struct(data);
    this.readPlain = plainReader(data);
  }

  setHandler(handler: Handler): void {
    this.handler = handler;
  }

  /** whether any declared parameter is there and not empty. */
  private hasCredentials(inbound: Inbound): boolean {
    for (const name of this.headers) if (credentialValues(inbound, name)[0]) return true;
    return this.hasQuery(inbound.query) || this.hasCookie(inbound);
  }

  private hasQuery(query: string): boolean {
    if (this.queries.size === 0 || query === "") return false;
    let found = false;
    eachPair(query, (key, value) => {
      if (value !== "" && this.queries.has(key)) found = true;
    });
    return found;
  }

  private hasCookie(inbound: Inbound): boolean {
    if (this.cookies.length === 0) return false;
    const lines = headersOf(inbound).all("cookie");
    if (lines.length === 0) return false;
    const jar = parseCookies(lines);
    return this.cookies.some((name) => jar.get(name));
  }

  authenticate(inbound: Inbound, trace: Trace, outcome: AuthOutcome): void {
    if (!this.hasCredentials(inbound)) return outcome.nobody(NO_CREDENTIALS);
    if (!this.handler)
      return outcome.failed(
        Failure.internal(`auth handler implementation not registered for ${this.model.name}`),
        true,
      );
    const source = new AuthRequest(this.codec, inbound, trace);
    try {
      source.decode();
    } catch (error) {
      return outcome.failed(fromCodec(error), true);
    }
    const done = this.log.auth(trace, this.model);
    invoke(this.handler, [source.request], {
      done: (value) => this.settle(value, done, outcome),
      failed: (thrown) => {
        const failure = fromThrown(thrown);
        done(failure);
        if (failure.code === "unauthenticated") outcome.nobody(failure);
        else outcome.failed(failure, true);
      },
    });
  }

  private settle(value: unknown, done: (failure: Failure | null) => void, outcome: AuthOutcome): void {
    let caller: Caller | Failure;
    try {
      caller = this.callerOf(value);
    } catch (error) {
      const isMisfit = error instanceof DecodeError;
      const failure = isMisfit ? unfitAuthData(error) : fromCodec(error);
      done(failure);
      return outcome.failed(failure, !isMisfit);
    }
    done(null);
    if (caller instanceof Failure) outcome.nobody(caller);
    else outcome.known(caller);
  }

  /** Throws DecodeError when the data does not have its declared type, EncodeError when it cannot travel. */
  private callerOf(value: unknown): Caller | Failure {
    const payload = asPayload(value);
    if (payload === null) return new Failure("unauthenticated", "unauthenticated", "auth handler returned null");
    return (
      this.toCaller(payload) ??
      new Failure("unauthenticated", "unauthenticated", "auth handler did not return a userID field")
    );
  }

  /** The caller that auth data describes; null without a string `userID`. Also for calls that bring their own. */
  toCaller(payload: Payload): Caller | null {
    const userId = readKey(payload, "userID");
    if (typeof userId !== "string") return null;
    const plain = this.readPlain?.(payload);
    if (plain) return new PlainCaller(userId, plain);
    return this.callerFrom(userId, encodeSorted(payload));
  }

  /** The caller that a metadata header describes. Throws DecodeError when `text` does not have the declared type. */
  callerFrom(userId: string, text: string): Caller {
    return { userId, text, data: whole(this.decodeData(new JsonReader(text))) };
  }
}

/** Keys in alphabetical order, as the official metadata header has them: places in messages depend on it. */
function encodeSorted(payload: Payload): string {
  const keys: string[] = [];
  for (const key in payload) keys.push(key);
  const sorted: Payload = {};
  for (const key of keys.sort()) sorted[key] = payload[key];
  return encodeValue(sorted);
}
