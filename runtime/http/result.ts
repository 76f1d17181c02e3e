// What the SDK's wrapper returns for a typed endpoint (G-52), encoded for the wire (contract 3.8).
import { FRAMING, toWire, UnreadableResult } from "../schema/header-encoder";
import type { Pace, Paused } from "../schema/pace";
import type { EncodedResponse } from "../schema/response-codec";
import type { Endpoint } from "./endpoint";
import { Failure } from "./failure";

interface HandlerResult {
  payload?: unknown;
  extraHeaders?: Record<string, string | string[]> | null;
  status?: unknown;
}

const DEFAULT_STATUS = 200;
const MAX_U16 = 65535;
const UNSAFE_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function statusOf(status: unknown): number {
  if (typeof status !== "number") return DEFAULT_STATUS;
  const whole = status >>> 0;
  if (whole > MAX_U16)
    throw new UnreadableResult("invalid http status code: out of range integral type conversion attempted");
  if (whole >= 100 && whole <= 999) return whole;
  throw Failure.internal("http::Error(\n    InvalidStatusCode,\n)");
}

/** Encodes a handler's result at a pace. Throws what `fromCodec` understands; `extraHeaders` are added separately. */
export function encodeResult(endpoint: Endpoint, result: unknown, pace: Pace): EncodedResponse | Paused {
  const { payload, status } = (result ?? {}) as HandlerResult;
  return endpoint.response.encode(payload, status === undefined ? DEFAULT_STATUS : statusOf(status), pace);
}

/** What middleware adds: lower-case names with their values, in the form node:http writes. Shared by answers, never changed. */
export type ExtraHeaders = ReadonlyMap<string, readonly string[]>;

/** Most answers of an app carry the same few sets: these are not checked and written anew. */
const KEPT_SETS = 8;
const KEPT_CHARS = 4000;
const kept: { names: string[]; values: string[]; headers: ExtraHeaders }[] = [];
let oldest = 0;

function isSame(extra: Record<string, unknown>, names: readonly string[], values: readonly string[]): boolean {
  let i = 0;
  for (const name in extra) {
    if (names[i] !== name || values[i] !== extra[name]) return false;
    i++;
  }
  return i === names.length;
}

function keep(extra: Record<string, unknown>, headers: ExtraHeaders): void {
  const names = Object.keys(extra);
  const values = Object.values(extra);
  const isPlain = (list: unknown[]): list is string[] => list.every((value) => typeof value === "string");
  if (!isPlain(values)) return;
  const chars = names.reduce((sum, name, i) => sum + name.length + values[i]!.length, 0);
  if (chars > KEPT_CHARS) return;
  kept[oldest] = { names, values, headers };
  oldest = (oldest + 1) % KEPT_SETS;
}

/** Middleware's headers (H-88); a name's first value replaces, further ones are added. */
export function extraHeaders(result: unknown): ExtraHeaders | null {
  const extra = (result as HandlerResult | null | undefined)?.extraHeaders;
  if (extra === undefined || extra === null) return null;
  for (const known of kept) if (isSame(extra, known.names, known.values)) return known.headers;
  const headers = readHeaders(extra);
  keep(extra, headers);
  return headers;
}

function readHeaders(extra: Record<string, string | string[]>): ExtraHeaders {
  const fail = (problem: string): never => {
    throw new UnreadableResult(`unable to parse extraHeaders: InvalidArg, ${problem}`);
  };
  const out = new Map<string, string[]>();
  for (const [name, value] of Object.entries(extra)) {
    if (value === undefined || FRAMING.has(name.toLowerCase())) continue;
    const values = Array.isArray(value) ? value : [value];
    if (!values.every((v) => typeof v === "string")) fail(misfit(value));
    if (!HEADER_NAME.test(name)) fail("invalid header name: invalid HTTP header name");
    if (values.some((v) => UNSAFE_VALUE.test(v))) fail("invalid header value: failed to parse header value");
    out.set(name.toLowerCase(), values.map(toWire));
  }
  return out;
}

/** What is wrong with a header value that is neither a string nor a list of strings. */
function misfit(value: unknown): string {
  if (Array.isArray(value)) return "unable to parse header values array as strings";
  return typeof value === "object" && value !== null
    ? "invalid header value type"
    : "header map value must be string or array of strings";
}

/** Applies middleware's headers to a list of names and values. */
export function withExtra(headers: readonly string[], extra: ExtraHeaders | null): readonly string[] {
  if (extra === null) return headers;
  const out: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (!extra.has(headers[i]!)) out.push(headers[i]!, headers[i + 1]!);
  for (const [name, values] of extra) for (const value of values) out.push(name, value);
  return out;
}
