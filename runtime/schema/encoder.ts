// JavaScript values → JSON texts, as the official runtime writes them (contract H-81…H-84, N-1).
import { formatDateTime, isRepresentable } from "./datetime";
import { formatDecimal, isDecimal, parseDecimal } from "./decimal";
import { EncodeError } from "./errors";
import { Pace, PAUSED, UNPACED, whole, type Paused } from "./pace";
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

/** Encodes any value at once; `undefined` only inside objects, where its key is left out. Throws EncodeError. */
export function encodeValue(value: unknown): string {
  return whole(encodePaced(value, 1, UNPACED));
}

/** The same at a pace: PAUSED where it says so. Called again it goes on with what it found, whatever became of `value`. */
export function encodePaced(value: unknown, depth: number, pace: Pace): string | Paused {
  switch (typeof value) {
    case "string":
      return quotePaced(value, pace);
    case "number":
      return encodeNumber(value);
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      return `"${value}"`;
    case "object":
      return value === null ? "null" : encodeObject(value, depth, pace);
    case "undefined":
      throw new EncodeError("undefined cannot be represented as a serde_json::Value");
    case "function":
      throw new EncodeError("JS functions cannot be represented as a serde_json::Value");
    case "symbol":
      throw new EncodeError("JS symbols cannot be represented as a serde_json::Value");
  }
}

function encodeObject(value: object, depth: number, pace: Pace): string | Paused {
  if (depth > MAX_DEPTH) {
    throw new EncodeError(
      `value exceeds the maximum nesting depth of ${MAX_DEPTH}; does it contain a circular reference?`,
    );
  }
  if (Array.isArray(value)) return encodeList(value, depth, pace);
  if (value instanceof Date) return `"${formatDateTime(checkDate(value))}"`;
  if (isDecimal(value)) return quote(decimalText(value.value));
  return encodeKeys(value as Record<string, unknown>, depth, pace);
}

/** A text is put together from pieces of this length: the engine takes as long to join a million of them as to make them. */
const PIECE_CHARS = 4096;
/** Characters of one value that count as one element more. */
const STEP_CHARS = 64;

/** A value or a key. A long one is written in one go, and counts as the many elements that it is like. */
function quotePaced(text: string, pace: Pace): string {
  if (text.length <= STEP_CHARS) return quote(text);
  if (text.length > pace.textCharsMax) {
    throw new EncodeError(
      `too large: a text of ${text.length} characters, where ${pace.textCharsMax} may be sent at once; send it in parts`,
    );
  }
  pace.spend(text.length / STEP_CHARS);
  return quote(text);
}

/** Where the writer of a container paused: what it has written, and the value it was writing, if it was that which paused. */
interface WriteFrame {
  out: string;
  next: number;
  item: { value: unknown } | undefined;
}

interface KeysFrame extends WriteFrame {
  keys: readonly string[];
  /** The one that was written last or paused. */
  key: string;
}

/** Joins what `piece` is made of, which a look into it does, and adds it. */
function append(out: string, piece: string): string {
  return piece.charCodeAt(0) > 0 ? out + piece : out;
}

function encodeList(list: readonly unknown[], depth: number, pace: Pace): string | Paused {
  const frame = pace.isResuming ? pace.resume<WriteFrame>() : undefined;
  let out = frame ? frame.out : "";
  let item = frame?.item;
  let piece = "";
  for (let i = frame ? frame.next : 0; i < list.length; i++) {
    const value = item ? item.value : list[i];
    item = undefined;
    const text = encodePaced(value, depth + 1, pace);
    if (text === PAUSED) return pace.pause({ out: append(out, piece), next: i, item: { value } } satisfies WriteFrame);
    piece += i === 0 ? text : `,${text}`;
    if (piece.length > PIECE_CHARS) {
      if (typeof value !== "string") pace.spend(text.length / STEP_CHARS);
      out = append(out, piece);
      piece = "";
    }
    if (pace.isDue()) return pace.pause({ out: append(out, piece), next: i + 1, item } satisfies WriteFrame);
  }
  return `[${out}${piece}]`;
}

/**
 * All enumerable string keys, inherited ones included; `toJSON` is not called. The engine sorts the keys of a large object
 * each time it is asked for them (0.25 µs each, in one go): a writer that pauses takes those that are left with it.
 */
function encodeKeys(value: Record<string, unknown>, depth: number, pace: Pace): string | Paused {
  if (pace.isResuming) return encodeRest(value, depth, pace, pace.resume<KeysFrame>());
  let out = "";
  let rest: KeysFrame | undefined;
  for (const key in value) {
    if (rest) {
      (rest.keys as string[]).push(key);
      continue;
    }
    const item = value[key];
    if (item === undefined) continue;
    const text = encodePaced(item, depth + 1, pace);
    if (text === PAUSED) rest = { keys: [key], key, next: 0, out, item: { value: item } };
    else {
      out += `${out === "" ? "" : ","}${quotePaced(key, pace)}:${text}`;
      if (pace.isDue()) rest = { keys: [], key, next: 0, out, item: undefined };
    }
  }
  return rest ? pace.pause(rest) : `{${out}}`;
}

function encodeRest(
  value: Record<string, unknown>,
  depth: number,
  pace: Pace,
  { keys, key, next, out, item }: KeysFrame,
): string | Paused {
  let piece = "";
  for (let i = next; i < keys.length; i++) {
    if (!item) key = keys[i]!;
    const known: unknown = item ? item.value : value[key];
    item = undefined;
    if (known === undefined) continue;
    const text = encodePaced(known, depth + 1, pace);
    if (text === PAUSED) {
      const frame: KeysFrame = { keys, key, next: i, out: append(out, piece), item: { value: known } };
      return pace.pause(frame);
    }
    piece += `${out === "" && piece === "" ? "" : ","}${quotePaced(key, pace)}:${text}`;
    if (piece.length > PIECE_CHARS) {
      if (typeof known !== "string") pace.spend(text.length / STEP_CHARS);
      out = append(out, piece);
      piece = "";
    }
    if (pace.isDue()) return pace.pause({ keys, key, next: i + 1, out: append(out, piece), item } satisfies KeysFrame);
  }
  return `{${out}${piece}}`;
}

/** How many parts of a value are looked at without a pause. */
const CHECKED_AT_ONCE = 5000;

/**
 * Throws the EncodeError that encoding the value would throw; builds nothing. False for a value of so many parts that not all of
 * them were looked at: that one is to be encoded at a pace.
 */
export function checkValue(value: unknown): boolean {
  return checkParts(value, 1, CHECKED_AT_ONCE) >= 0;
}

/** How many of the parts that may be looked at are left; none below zero. */
function checkParts(value: unknown, depth: number, left: number): number {
  if (typeof value !== "object" || value === null) {
    if (typeof value !== "string" && typeof value !== "boolean" && !Number.isFinite(value)) encodeValue(value);
  } else if (depth > MAX_DEPTH || value instanceof Date || isDecimal(value)) encodePaced(value, depth, UNPACED);
  else if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= 0; i++) left = checkParts(value[i], depth + 1, left);
  } else return checkKeys(value as Record<string, unknown>, depth, left);
  return left - 1;
}

function checkKeys(value: Record<string, unknown>, depth: number, left: number): number {
  for (const key in value) {
    const item = value[key];
    if (item !== undefined) left = checkParts(item, depth + 1, left);
    if (left < 0) break;
  }
  return left - 1;
}

/** How much may be written in one go: so many values, each 64 characters of a longer text counting as one, and no longer text. */
export interface WriteBound {
  parts: number;
  textChars: number;
}

/** The text of something that is written at once, or not at all. Throws EncodeError, also when it is more than that. */
export function writeBounded(write: (pace: Pace) => string | Paused, { parts, textChars }: WriteBound): string {
  const pace = new Pace();
  pace.beginWith(parts, textChars);
  const text = write(pace);
  if (text !== PAUSED && !pace.isDue()) return text;
  throw new EncodeError(
    `too large: ${parts} values may be sent at once, or a text of ${textChars} characters; send it in parts`,
  );
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

export type FieldsEncoder = (payload: Record<string, unknown> | null, pace: Pace) => string | Paused;

/** Compiles an encoder that writes the named fields of a payload and nothing else. */
export function compileFields(names: readonly string[]): FieldsEncoder {
  const fields = names.map((name) => ({ name, prefix: `${quote(name)}:` }));
  return (payload, pace) => {
    if (payload === null) return "{}";
    const frame = pace.isResuming ? pace.resume<WriteFrame>() : undefined;
    let out = frame ? frame.out : "";
    let item = frame?.item;
    for (let i = frame ? frame.next : 0; i < fields.length; i++) {
      const field = fields[i]!;
      const value = item ? item.value : readKey(payload, field.name);
      item = undefined;
      if (value === undefined) continue;
      const text = encodePaced(value, 1, pace);
      if (text === PAUSED) return pace.pause({ out, next: i, item: { value } } satisfies WriteFrame);
      out += out === "" ? `{${field.prefix}` : `,${field.prefix}`;
      out += text;
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
