// Response payloads → status, headers and body (contract 3.8), and back for the callers inside the process (G-46).
import { isDecimal } from "./decimal";
import { asPayload, compileFields, encodePaced, isInteger32, readKey, type FieldsEncoder } from "./encoder";
import { ValueError } from "./header-decoder";
import { appendHeaders, cookieLine } from "./header-encoder";
import { type JsonDecoderCompiler, type NewDecimal, type StructDecoder } from "./json-decoder";
import { PAUSED, type Pace, type Paused } from "./pace";
import { decodeBody, RequestCodec, wireName, type Payload, type RequestSource } from "./request-codec";
import type { ShapeField, Struct } from "./shape";
import type { Outcome } from "./slices";

/** What goes out. `headers` holds names and values in turn, in the form node:http writes. */
export interface EncodedResponse {
  status: number;
  headers: string[] | null;
  body: string | null;
}

/** The values of a payload that are only looked at; null when there are none, or when that is done. */
type Rest = unknown[] | null;

const NOTHING: readonly ShapeField[] = [];

export class ResponseCodec {
  readonly headerFields: readonly ShapeField[];
  private readonly cookies: readonly ShapeField[];
  private readonly status: string | undefined;
  private readonly body: FieldsEncoder | null;
  /** The fields whose values are encoded on their way out, and so checked. */
  private readonly encoded: ReadonlySet<string>;
  private readonly decoder: StructDecoder | undefined;
  private readonly headerDecoder: RequestCodec | undefined;

  constructor(struct: Struct | null, json: JsonDecoderCompiler, newDecimal: NewDecimal) {
    const fields = struct?.fields ?? NOTHING;
    const travelling = (place: string): ShapeField[] => fields.filter((f) => f.wire?.in === place);
    this.headerFields = travelling("header");
    this.cookies = travelling("cookie");
    this.status = travelling("httpStatus")[0]?.name;
    const rest = fields.filter((f) => f.wire === undefined);
    this.body = rest.length > 0 ? compileFields(rest.map((f) => f.name)) : null;
    this.encoded = new Set([...rest, ...this.headerFields].map((f) => f.name));
    if (rest.length > 0) this.decoder = json.struct({ kind: "struct", fields: rest });
    if (this.headerFields.length > 0) {
      this.headerDecoder = new RequestCodec(
        { header: [...this.headerFields], query: [], cookie: [], body: [] },
        [],
        json,
        newDecimal,
      );
    }
  }

  /** Whether a response has a JSON body. */
  get hasBody(): boolean {
    return this.body !== null;
  }

  /**
   * Encodes at a pace: PAUSED where it says so, and to be called again with the same arguments. Throws EncodeError for values that
   * cannot be sent and ValueError for fields that cannot travel (H-85…H-87).
   */
  encode(value: unknown, status: number, pace: Pace): EncodedResponse | Paused {
    const payload = asPayload(value);
    const rest = pace.isResuming ? pace.resume<Rest>() : payload && this.restOf(payload);
    if (rest && encodePaced(rest, 0, pace) === PAUSED) return pace.pause(rest);
    const body = this.body && this.body(payload, pace);
    if (body === PAUSED) return pace.pause(null satisfies Rest);
    const isPlain = this.headerFields.length === 0 && this.cookies.length === 0 && this.status === undefined;
    if (isPlain) return { status, headers: null, body };
    const headers: string[] = [];
    this.encodeHeaders(payload, headers);
    return { status: this.statusOf(payload) ?? status, headers, body };
  }

  /** All that a handler returns has to be representable, also what does not travel (N-1). Headers are checked as they are written. */
  private restOf(payload: Payload): Rest {
    let rest: unknown[] | null = null;
    for (const key in payload) {
      if (this.encoded.has(key)) continue;
      const value = payload[key];
      if (value !== undefined) (rest ??= []).push(value);
    }
    return rest;
  }

  private encodeHeaders(payload: Payload | null, out: string[]): void {
    const cookies = payload ? this.cookieLines(payload) : [];
    if (this.headerFields.length > 0) appendHeaders(this.headerFields, payload ?? missing("header"), out);
    if (this.cookies.length > 0 && !payload) missing("cookie");
    for (const line of cookies) out.push("set-cookie", line);
  }

  private cookieLines(payload: Payload): string[] {
    return this.cookies.flatMap((field) => {
      const cookie = readKey(payload, field.name);
      const isObject =
        typeof cookie === "object" && cookie !== null && !Array.isArray(cookie) && !(cookie instanceof Date);
      return isObject ? [cookieLine(wireName(field), cookie as Payload)] : [];
    });
  }

  private statusOf(payload: Payload | null): number | undefined {
    const value = payload && this.status !== undefined ? readKey(payload, this.status) : undefined;
    if (value === undefined) return undefined;
    const fail = (problem: string): never => {
      throw new ValueError(`invalid http status code: HTTP status field '${this.status}' must be ${problem}`);
    };
    if (typeof value !== "number") return fail(`a number, got: ${typeName(value)}`);
    if (!isInteger32(value) || value < 0) return fail("a positive integer");
    return value >= 100 && value <= 599 ? value : fail(`a between 100 and 599, got: ${value}`);
  }

  /** The value a caller inside the process receives: body and header fields, null when there are neither. */
  decode(response: EncodedResponse, outcome: Outcome<Payload | null>): void {
    if (!this.decoder && !this.headerDecoder) return outcome.done(null);
    const source: RequestSource = {
      query: "",
      params: [],
      body: undefined,
      headerValues: (name) => valuesOf(response.headers, name),
    };
    let target: Payload;
    try {
      target = this.headerDecoder?.decode(source) ?? {};
    } catch (error) {
      return outcome.failed(error);
    }
    if (!this.decoder) return outcome.done(target);
    decodeBody(this.decoder, response.body ?? "", target, "unable to decode response body", outcome);
  }
}

function valuesOf(headers: readonly string[] | null, name: string): string[] {
  const out: string[] = [];
  for (let i = 0; headers && i < headers.length; i += 2) {
    if (headers[i] === name) out.push(Buffer.from(headers[i + 1]!, "latin1").toString("utf8"));
  }
  return out;
}

function missing(what: "header" | "cookie"): never {
  throw new ValueError(`missing ${what} parameters`, `missing ${what} parameters`);
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (value instanceof Date) return "datetime";
  return typeof value === "bigint" || isDecimal(value) ? "decimal" : typeof value;
}
