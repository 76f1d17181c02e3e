// Payloads of service calls → requests (contract 2.5): callers inside the process meet the same decoding and
// validation as clients do.
import {
  asPayload,
  checkValue,
  compileFields,
  decimalText,
  encodePaced,
  encodeNumber,
  encodeValue,
  readKey,
} from "../schema/encoder";
import { formatDateTime, formatHeaderDateTime } from "../schema/datetime";
import { isDecimal } from "../schema/decimal";
import { EncodeError } from "../schema/errors";
import { cookieLine, headerLines } from "../schema/header-encoder";
import { Pace } from "../schema/pace";
import { inSlices, nowOrLater } from "../schema/slices";
import { wireName, type FieldPlaces, type Payload } from "../schema/request-codec";
import { formEncode, pathEncode } from "../schema/url-text";
import type { Endpoint } from "./endpoint";
import { Failure } from "./failure";

export interface EncodedCall {
  method: string;
  path: string;
  query: string;
  lines: string[];
  body: string | undefined;
}

const invalid = (message: string, internal: string | null = null): never => {
  throw new Failure("invalid_argument", message, internal);
};

function pathText(value: unknown, name: string): string {
  if (typeof value === "string") return pathEncode(value);
  if (typeof value === "number") return encodeNumber(value);
  if (value === null || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (value instanceof Date) return formatHeaderDateTime(value);
  if (isDecimal(value)) return decimalText(value.value);
  return invalid("unsupported type in request payload", `unsupported type in request payload for field ${name}`);
}

function encodePath(endpoint: Endpoint, payload: Payload | null): { path: string; params: string[] } {
  const params: string[] = [];
  let path = "";
  for (const segment of endpoint.model.path) {
    if (segment.kind === "literal") {
      path += `/${segment.value}`;
      continue;
    }
    const value = payload === null ? undefined : readKey(payload, segment.value);
    if (value === undefined)
      return invalid("missing field in request payload", `missing field in request payload: ${segment.value}`);
    const text = pathText(value, segment.value);
    params.push(text);
    path += `/${text}`;
  }
  return { path, params };
}

function queryText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return encodeNumber(value);
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (value instanceof Date) return formatDateTime(value);
  if (isDecimal(value)) return decimalText(value.value);
  throw Failure.internal("unsupported value");
}

/** One query field puts the whole payload in the URL (Appendix B, G-43), keys in alphabetical order. */
function encodeQuery(places: FieldPlaces, payload: Payload | null): string {
  if (places.query.length === 0) return "";
  const cookies = new Map(places.cookie.map((field) => [field.name, wireName(field)]));
  if (payload === null) return invalid("missing query parameters", "missing query parameters");
  const pairs: string[] = [];
  for (const key of Object.keys(payload).sort()) {
    const value = readKey(payload, key);
    if (value === undefined) continue;
    const cookie = cookies.get(key);
    if (cookie !== undefined && isCookie(value))
      pairs.push(`${formEncode(key)}=${formEncode(cookieLine(cookie, value))}`);
    else
      for (const item of Array.isArray(value) ? value : [value])
        pairs.push(`${formEncode(key)}=${formEncode(queryText(item))}`);
  }
  return pairs.join("&");
}

function isCookie(value: unknown): value is Payload {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function encodeHeaders(places: FieldPlaces, payload: Payload | null): string[] {
  const lines: string[] = [];
  for (const field of [...places.header, ...places.cookie]) {
    const isCookie = field.wire?.in === "cookie";
    const what = isCookie ? "cookie" : "header";
    if (payload === null) return invalid(`missing ${what} parameters`, `missing ${what} parameters`);
    const value = readKey(payload, field.name);
    const isUsable = value !== undefined && (!isCookie || (typeof value === "object" && value !== null));
    if (isUsable)
      for (const line of isCookie ? [cookieLine(wireName(field), value as Payload)] : headerLines(value))
        lines.push(isCookie ? "cookie" : wireName(field).toLowerCase(), line);
    else if (!field.optional)
      invalid(`missing ${what} parameter: ${field.name}`, `missing ${what} parameter: ${field.name}`);
  }
  return lines;
}

/** Encodes a call; one of very many parts in slices. Throws or rejects with Failure and EncodeError. */
export function encodeCall(endpoint: Endpoint, data: unknown): EncodedCall | Promise<EncodedCall> {
  const payload = asPayload(data);
  const method = endpoint.kind === "stream" ? "GET" : endpoint.callMethod;
  const { places, readsBody } = endpoint.codec(method);
  const { path } = encodePath(endpoint, payload);
  const query = encodeQuery(places, payload);
  const lines = encodeHeaders(places, payload);
  if (!readsBody || endpoint.kind === "stream") return { method, path, query, lines, body: undefined };
  if (payload === null) return invalid("missing body payload");
  const encode = compileFields(places.body.map((f) => f.name));
  const complete = (body: string): EncodedCall => {
    return { method, path, query, lines: [...lines, "content-type", "application/json"], body };
  };
  const body = nowOrLater((pace) => encode(payload, pace));
  return typeof body === "string" ? complete(body) : body.then(complete);
}

/** A mistake of the call itself: the caller gets a plain error, not an API error (G-47). */
export class CallMistake extends Error {
  readonly code = "InvalidArg";
}

const mistakeOf = (error: unknown): unknown => (error instanceof EncodeError ? new CallMistake(error.message) : error);

/** Auth data that is no object, or holds what cannot be sent, is the caller's mistake. */
export function checkAuthData(data: unknown): Payload | null {
  try {
    const payload = asPayload(data);
    if (payload && !checkValue(payload)) encodeValue(payload);
    return payload;
  } catch (error) {
    throw mistakeOf(error);
  }
}

/** So is such a payload. One of very many parts is looked at in slices, and nothing else is done in the turn of the last. */
export function checkPayload(data: unknown): void | Promise<void> {
  try {
    const payload = asPayload(data);
    if (!payload || checkValue(payload)) return;
    return checkLarge(payload);
  } catch (error) {
    throw mistakeOf(error);
  }
}

async function checkLarge(payload: Payload): Promise<void> {
  const pace = new Pace();
  await new Promise(setImmediate);
  try {
    await new Promise<unknown>((done, failed) => inSlices(pace, () => encodePaced(payload, 1, pace), { done, failed }));
  } catch (error) {
    throw mistakeOf(error);
  }
  await new Promise(setImmediate);
}
