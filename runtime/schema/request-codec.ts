// Requests → payloads (contract 3.3–3.6): path, query, headers, cookies, body, in this order; the first failure ends it.
import type { PathSegment } from "../model";
import { DecodeError, missingFields } from "./errors";
import { compileValue, ValueError, type ValueDecoder } from "./header-decoder";
import { JsonDecoderCompiler, type NewDecimal, type StructDecoder } from "./json-decoder";
import { JsonReader, readerOf } from "./json-reader";
import type { Decoder } from "./json-syntax";
import { whole, type Paused } from "./pace";
import type { ShapeField, Struct } from "./shape";
import { LARGE_CHARS, readInSlices, type Outcome } from "./slices";
import { compileText, createTextContext, type TextContext, type TextDecoder } from "./text-decoder";
import { eachPair, parseCookies, percentDecodeStrict } from "./url-text";
import { compileCheck, type Check } from "./validation";

/** What is decoded. Header names are lower case; header values are UTF-8 already decoded. */
export interface RequestSource {
  /** Without the question mark. */
  query: string;
  /** The text of each path parameter as it stands in the URL; undefined when a catch-all captured nothing. */
  params: readonly (string | undefined)[];
  headerValues(name: string): readonly string[];
  /** Whether a service calls: its header lists are lines of their own, whatever an element holds. */
  readonly isInside?: boolean;
  /** Present when the codec reads a body. */
  body: Buffer | string | undefined;
}

export type Payload = Record<string, unknown>;
type Step = (source: RequestSource, target: Payload) => void;

/** Where the fields of a request type travel (H-30). */
export interface FieldPlaces {
  query: ShapeField[];
  header: ShapeField[];
  cookie: ShapeField[];
  body: ShapeField[];
}

/** Sorts fields by place; those without one go to the body or, for GET-like methods, to the query. */
export function placeFields(struct: Struct | null, path: readonly PathSegment[], rest: "query" | "body"): FieldPlaces {
  const inPath = new Set(path.filter((s) => s.kind !== "literal").map((s) => s.value));
  const places: FieldPlaces = { query: [], header: [], cookie: [], body: [] };
  for (const field of struct?.fields ?? []) {
    if (inPath.has(field.name)) continue;
    const place = field.wire?.in;
    places[place === "header" || place === "cookie" || place === "query" ? place : rest].push(field);
  }
  return places;
}

/** The name on the wire of a header or cookie field. */
export function wireName(field: ShapeField): string {
  return (field.wire && "name" in field.wire && field.wire.name) || field.name;
}

export class RequestCodec {
  readonly readsBody: boolean;
  private readonly steps: Step[] = [];
  private readonly body: StructDecoder | undefined;

  constructor(
    readonly places: FieldPlaces,
    path: readonly PathSegment[],
    json: JsonDecoderCompiler,
    newDecimal: NewDecimal,
  ) {
    const params = path.filter((s) => s.kind !== "literal");
    if (params.length > 0) this.steps.push(pathStep(params));
    if (places.query.length > 0) this.steps.push(queryStep(places.query, newDecimal));
    if (places.header.length > 0) this.steps.push(headerStep(places.header, newDecimal));
    if (places.cookie.length > 0) this.steps.push(cookieStep(places.cookie, newDecimal));
    this.readsBody = places.body.length > 0;
    this.body = this.readsBody ? json.struct({ kind: "struct", fields: places.body }) : undefined;
  }

  /** Everything but the body. Throws a ValueError whose message is the public one. */
  decodeHead(source: RequestSource): Payload {
    const target: Payload = {};
    for (let i = 0; i < this.steps.length; i++) this.steps[i]!(source, target);
    return target;
  }

  /** Adds the body's fields to a decoded head: at once, or those of a large one later. */
  decodeBody(body: Buffer | string, target: Payload, outcome: Outcome<Payload>): void {
    if (this.body) decodeBody(this.body, body, target, REQUEST_BODY, outcome);
    else outcome.done(target);
  }

  /** Everything, at once. */
  decode(source: RequestSource): Payload {
    const head = this.decodeHead(source);
    return this.body ? whole(readBody(this.body, readerOf(source.body ?? ""), head, REQUEST_BODY)) : head;
  }
}

const REQUEST_BODY = "unable to decode request body";

/** Decodes a JSON text: at once, or a large one in slices. Problems are prefixed with `what`. */
export function decodeBody(
  struct: StructDecoder,
  body: Buffer | string,
  target: Payload,
  what: string,
  outcome: Outcome<Payload>,
): void {
  if (body.length > LARGE_CHARS) {
    readInSlices(body, (reader) => readBody(struct, reader, target, what), outcome);
    return;
  }
  let payload: Payload;
  try {
    payload = whole(readBody(struct, readerOf(body), target, what));
  } catch (error) {
    return outcome.failed(error);
  }
  outcome.done(payload);
}

function readBody(struct: StructDecoder, reader: JsonReader, target: Payload, what: string): Payload | Paused {
  try {
    return struct(reader, target);
  } catch (error) {
    if (error instanceof DecodeError) throw new ValueError(`${what}: ${error.message}`);
    throw error;
  }
}

// ---------------------------------------------------------------- path

type ParamDecoder = (text: string) => unknown;

function pathStep(params: Exclude<PathSegment, { kind: "literal" }>[]): Step {
  const decoders = params.map((p) => ({ name: p.value, decode: compileParam(p) }));
  return (source, target) => {
    const texts = source.params.map((p) => (p === undefined ? p : (percentDecodeStrict(p) ?? failPath())));
    for (let i = 0; i < decoders.length; i++) {
      const text = texts[i];
      if (text !== undefined) target[decoders[i]!.name] = decoders[i]!.decode(text);
    }
  };
}

function failPath(): never {
  throw new ValueError("unable to parse path params", "Invalid UTF-8 in `_`");
}

function compileParam(param: Exclude<PathSegment, { kind: "literal" }>): ParamDecoder {
  const check = param.validation && compileCheck(param.validation);
  const isText = param.type === "string" || param.kind !== "param";
  const type = param.type === "bool" ? "boolean" : "number";
  const read: (text: string, context: TextContext) => unknown = isText
    ? (text) => text
    : (text, context) => scalar(text, type, context);
  return (text) => {
    const context = createTextContext();
    const value = read(text, context);
    if (check) verify(check, value, context, param.value);
    return value;
  };
}

function verify(check: Check, value: unknown, context: TextContext, name: string): void {
  const problem = check(value, context.isFloat, context.work);
  if (problem !== undefined) throw new ValueError(`invalid path parameter ${name}: ${problem}`);
}

const SCALARS = new JsonDecoderCompiler((text) => text);
const BOOLEAN = SCALARS.compile({ kind: "bool" });
const NUMBER = SCALARS.compile({ kind: "number" });

/** Numbers and booleans of a path are JSON texts (H-20). */
function scalar(text: string, type: "boolean" | "number", context: TextContext): unknown {
  const reader = new JsonReader(text);
  try {
    const decode: Decoder = type === "boolean" ? BOOLEAN : NUMBER;
    const value = decode(reader);
    context.isFloat = reader.isFloat;
    if (reader.peek() === reader.peek()) reader.failAhead("trailing characters");
    return value;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const internal = error.message
      .replace("expected a number", "expected a JSON number")
      .replace("type: Option value", "type: null");
    throw new ValueError(`path parameter is not a valid ${type}`, internal);
  }
}

// ---------------------------------------------------------------- query

/** A decoder of query strings; problems are the message after `unable to decode query string: `. */
export function compileQuery(
  fields: readonly ShapeField[],
  newDecimal: NewDecimal,
): (query: string, target: Payload) => void {
  const byName = new Map<string, TextDecoder>(fields.map((f) => [f.name, compileText(f.shape, newDecimal)]));
  const required = fields.filter((f) => !f.optional).map((f) => f.name);
  return (query, target) => {
    const seen = new Set<string>();
    const context = createTextContext();
    eachPair(query, (key, text) => {
      const decode = byName.get(key);
      if (!decode) return;
      const value = prefixed(key, () => decode(text, context));
      if (!seen.has(key)) target[key] = value;
      else append(target[key], value, key);
      seen.add(key);
    });
    const missing = required.filter((name) => !seen.has(name));
    if (missing.length > 0) throw new DecodeError(missingFields(missing));
  };
}

/** A parameter once more: lists grow (H-41). What counts is the value, as a union may have lists and scalars. */
function append(known: unknown, value: unknown, key: string): void {
  if (!Array.isArray(value)) throw new DecodeError(`duplicate field ${key}`);
  if (Array.isArray(known)) known.push(...(value as unknown[]));
}

function prefixed(key: string, decode: () => unknown): unknown {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) throw new DecodeError(`${key}: ${error.message}`);
    throw error;
  }
}

function queryStep(fields: readonly ShapeField[], newDecimal: NewDecimal): Step {
  const decode = compileQuery(fields, newDecimal);
  return (source, target) => {
    try {
      decode(source.query, target);
    } catch (error) {
      if (error instanceof DecodeError) throw new ValueError(`unable to decode query string: ${error.message}`);
      throw error;
    }
  };
}

// ---------------------------------------------------------------- headers and cookies

interface NamedField {
  field: string;
  name: string;
  optional: boolean;
  list: boolean;
  decode: ValueDecoder;
}

function named(fields: readonly ShapeField[], place: "header" | "cookie", newDecimal: NewDecimal): NamedField[] {
  return fields.map((f) => {
    const element = f.shape.kind === "list" && place === "header" ? f.shape.elem : f.shape;
    return {
      field: f.name,
      name: wireName(f),
      optional: f.optional,
      list: element !== f.shape,
      decode: compileValue(element, place, newDecimal),
    };
  });
}

function headerText(text: string): string {
  if (text.includes("\ufffd"))
    throw new ValueError("invalid header value", "invalid header value: invalid utf-8 sequence");
  return text;
}

/** Anybody on the way may join the lines of a list (RFC 9110, 5.3), and `fetch` always does. */
const listItems = (values: readonly string[]): string[] =>
  values.flatMap((value) => value.split(",").map((item) => item.trim()));

function headerStep(fields: readonly ShapeField[], newDecimal: NewDecimal): Step {
  const entries = named(fields, "header", newDecimal).map((e) => ({ ...e, key: e.name.toLowerCase() }));
  return (source, target) => {
    const context = createTextContext();
    for (const { field, name, key, optional, list, decode } of entries) {
      const values = source.headerValues(key);
      const first = values[0];
      if (first === undefined) {
        if (optional) continue;
        throw new ValueError(`missing required header: ${name}`);
      }
      const items = list && !source.isInside ? listItems(values) : values;
      target[field] = list ? items.map((v) => decode(headerText(v), context)) : decode(headerText(first), context);
    }
  };
}

function cookieStep(fields: readonly ShapeField[], newDecimal: NewDecimal): Step {
  const entries = named(fields, "cookie", newDecimal);
  const needsSome = entries.some(({ optional }) => !optional);
  return (source, target) => {
    const lines = source.headerValues("cookie");
    if (lines.length === 0 && !needsSome) return;
    const context = createTextContext();
    const jar = parseCookies(lines);
    for (const { field, name, optional, decode } of entries) {
      const text = jar.get(name);
      if (text !== undefined) target[field] = { name, value: decode(text, context) };
      else if (!optional) throw new ValueError(`missing required cookie: ${name}`);
    }
  };
}
