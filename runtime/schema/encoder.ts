// JavaScript values → JSON texts, as the official runtime writes them (contract H-81…H-84, N-1).
import { formatDateTime, isRepresentable } from "./datetime";
import { formatDecimal, isDecimal, parseDecimal } from "./decimal";
import { EncodeError } from "./errors";
import { floatText } from "./rust-text";

const MAX_DEPTH = 128;
const MIN_INTEGER = -2147483648;
const MAX_INTEGER = 4294967295;
/** Up to this length looking at every character is faster than the engine's own quoting. */
const SHORT_TEXT = 48;
const NEEDS_ESCAPE = /[\u0000-\u001f"\\\ud800-\udfff]/;

/** A JSON string. Lone surrogates become U+FFFD. */
export function quote(text: string): string {
  if (text.length < SHORT_TEXT) {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < 32 || code === 34 || code === 92 || (code >= 0xd800 && code <= 0xdfff)) return quoteSlowly(text);
    }
    return `"${text}"`;
  }
  return NEEDS_ESCAPE.test(text) ? quoteSlowly(text) : `"${text}"`;
}

function quoteSlowly(text: string): string {
  return JSON.stringify(/[\ud800-\udfff]/.test(text) ? Buffer.from(text).toString() : text);
}

/** Whether the native side keeps a number as an integer; all others are floats to it. */
export function isInteger32(value: number): boolean {
  return value >= MIN_INTEGER && value <= MAX_INTEGER && Number.isInteger(value);
}

/** Integers of 32 bits are written as such, every other number as a float: `1700000000000.0`. */
export function encodeNumber(value: number): string {
  if (isInteger32(value)) return value === 0 ? "0" : String(value);
  if (!Number.isFinite(value)) throw new EncodeError("Failed to convert js number to serde_json::Number");
  return floatText(value);
}

/** The text of a decimal as the native side keeps it. */
export function decimalText(text: unknown): string {
  if (typeof text !== "string") throw new EncodeError("Decimal object missing 'value' property");
  const value = parseDecimal(text);
  if (typeof value === "string") throw new EncodeError(`Failed to parse Decimal value: ${value}`);
  return formatDecimal(value);
}

export function checkDate(date: Date): Date {
  const ms = Math.trunc(date.getTime());
  if (!Number.isNaN(ms) && !isRepresentable(ms))
    throw new EncodeError(`timestamp ${ms}ms is outside the supported range`);
  return date;
}

/** Encodes any value; `undefined` only inside objects, where its key is left out. Throws EncodeError. */
export function encodeValue(value: unknown, depth = 1): string {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "number":
      return encodeNumber(value);
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      return `"${value}"`;
    case "object":
      return value === null ? "null" : encodeObject(value, depth);
    case "undefined":
      throw new EncodeError("undefined cannot be represented as a serde_json::Value");
    case "function":
      throw new EncodeError("JS functions cannot be represented as a serde_json::Value");
    case "symbol":
      throw new EncodeError("JS symbols cannot be represented as a serde_json::Value");
  }
}

function encodeObject(value: object, depth: number): string {
  if (depth > MAX_DEPTH) {
    throw new EncodeError(
      `value exceeds the maximum nesting depth of ${MAX_DEPTH}; does it contain a circular reference?`,
    );
  }
  if (Array.isArray(value)) return encodeList(value, depth);
  if (value instanceof Date) return `"${formatDateTime(checkDate(value))}"`;
  if (isDecimal(value)) return quote(decimalText(value.value));
  return encodeKeys(value as Record<string, unknown>, depth);
}

function encodeList(list: readonly unknown[], depth: number): string {
  if (list.length === 0) return "[]";
  let out = "[";
  for (let i = 0; i < list.length; i++) {
    if (i > 0) out += ",";
    out += encodeValue(list[i], depth + 1);
  }
  return `${out}]`;
}

/** All enumerable string keys, inherited ones included; `toJSON` is not called. */
function encodeKeys(value: Record<string, unknown>, depth: number): string {
  let out = "{";
  for (const key in value) {
    const item = value[key];
    if (item === undefined) continue;
    if (out.length > 1) out += ",";
    out += `${quote(key)}:${encodeValue(item, depth + 1)}`;
  }
  return `${out}}`;
}

/** Throws the EncodeError that encoding the value would throw; builds nothing. */
export function checkValue(value: unknown, depth = 1): void {
  if (typeof value !== "object" || value === null) {
    if (typeof value !== "string" && typeof value !== "boolean" && !Number.isFinite(value)) encodeValue(value, depth);
  } else if (depth > MAX_DEPTH || value instanceof Date || isDecimal(value)) encodeValue(value, depth);
  else if (Array.isArray(value)) for (let i = 0; i < value.length; i++) checkValue(value[i], depth + 1);
  else checkKeys(value as Record<string, unknown>, depth);
}

function checkKeys(value: Record<string, unknown>, depth: number): void {
  for (const key in value) {
    const item = value[key];
    if (item !== undefined) checkValue(item, depth + 1);
  }
}

const TYPE_NAMES: Record<string, string> = {
  string: "String",
  number: "Number",
  boolean: "Boolean",
  bigint: "BigInt",
  symbol: "Symbol",
  function: "Function",
};

/** A payload as the native side takes it: an object, or nothing. Throws EncodeError for anything else. */
export function asPayload(value: unknown): Record<string, unknown> | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "object") return value as Record<string, unknown>;
  throw new EncodeError(`Expect value to be Object, but received ${TYPE_NAMES[typeof value] ?? "Unknown"}`);
}

/** The enumerable value of a key: accessors and methods of a prototype do not count. */
export function readKey(payload: Record<string, unknown>, key: string): unknown {
  const value = payload[key];
  if (value === undefined || Object.hasOwn(payload, key)) return value;
  for (let p: unknown = Object.getPrototypeOf(payload); p; p = Object.getPrototypeOf(p)) {
    if (Object.hasOwn(p, key)) return Object.prototype.propertyIsEnumerable.call(p, key) ? value : undefined;
  }
  return value;
}

export type FieldsEncoder = (payload: Record<string, unknown> | null) => string;

/** Compiles an encoder that writes the named fields of a payload and nothing else. */
export function compileFields(names: readonly string[]): FieldsEncoder {
  const fields = names.map((name) => ({ name, prefix: `${quote(name)}:` }));
  return (payload) => {
    if (payload === null) return "{}";
    let out = "";
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      const value = readKey(payload, field.name);
      if (value === undefined) continue;
      out += out === "" ? `{${field.prefix}` : `,${field.prefix}`;
      out += encodeValue(value);
    }
    return out === "" ? "{}" : `${out}}`;
  };
}

/** A decoded value as plain JSON data: dates and decimals become texts (contract X-62). */
export function toPlain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof Date) return formatDateTime(value);
  if (isDecimal(value)) return value.value;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    Object.defineProperty(out, key, {
      value: toPlain((value as Record<string, unknown>)[key]),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return out;
}
