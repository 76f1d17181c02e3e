// Parameters of one statement, as JavaScript hands them over (N-1): every value is looked at once, when the
// QueryArgs are made, so that what cannot travel fails there.
import { isDecimal, parseDecimal, formatDecimal } from "../schema/decimal";
import { formatDateTime } from "../schema/datetime";
import { nativeError } from "./errors";

export type Argument =
  | { kind: "null" }
  | { kind: "bool"; value: boolean }
  | { kind: "number"; value: number }
  | { kind: "decimal"; value: string }
  | { kind: "string"; value: string }
  | { kind: "date"; value: Date }
  | { kind: "bytes"; value: Buffer }
  | { kind: "array"; value: Argument[] }
  | { kind: "object"; value: [string, Argument][] };

const maxDepth = 128;

function numberArgument(value: number): Argument {
  if (!Number.isFinite(value)) throw nativeError("Failed to convert js number to serde_json::Number", "InvalidArg");
  return { kind: "number", value };
}

const unrepresentable = (what: string): Error => nativeError(`${what} cannot be represented as a serde_json::Value`, "InvalidArg");

function decimalText(text: string): string {
  const parsed = parseDecimal(text);
  if (typeof parsed === "string") throw nativeError(parsed);
  return formatDecimal(parsed);
}

function objectArgument(value: object, depth: number): Argument {
  if (depth > maxDepth) throw nativeError("value is nested too deeply", "InvalidArg");
  if (Array.isArray(value)) return { kind: "array", value: value.map((element) => toArgument(element, depth + 1, false)) };
  if (value instanceof Date) return { kind: "date", value: Number.isNaN(value.getTime()) ? new Date(0) : value };
  if (isDecimal(value)) return { kind: "decimal", value: decimalText(value.value) };
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return { kind: "object", value: entries.map(([key, field]) => [key, toArgument(field, depth + 1, false)]) };
}

function toArgument(value: unknown, depth: number, top: boolean): Argument {
  if (value === null || (value === undefined && top)) return { kind: "null" };
  switch (typeof value) {
    case "boolean":
      return { kind: "bool", value };
    case "number":
      return numberArgument(value);
    case "bigint":
      return { kind: "decimal", value: value.toString() };
    case "string":
      return { kind: "string", value };
    case "undefined":
      throw unrepresentable("undefined");
    case "function":
      throw unrepresentable("JS functions");
    case "symbol":
      throw unrepresentable("JS symbols");
    default:
      if (top && value instanceof Uint8Array) return { kind: "bytes", value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
      return objectArgument(value, depth);
  }
}

/** @throws an `InvalidArg` error for what no column can hold */
export const toArguments = (values: unknown[]): Argument[] => values.map((value) => toArgument(value, 0, true));

/** Integers beyond 2^53 are floats to the official runtime, and written with their point. */
function jsonNumber(value: number): string {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : JSON.stringify(value);
}

/** JSON of an argument; the keys of objects are sorted, decimals become strings. */
export function jsonText(argument: Argument): string {
  switch (argument.kind) {
    case "null":
      return "null";
    case "bool":
      return String(argument.value);
    case "number":
      return jsonNumber(argument.value);
    case "decimal":
    case "string":
      return JSON.stringify(argument.value);
    case "date":
      return JSON.stringify(formatDateTime(argument.value));
    case "bytes":
      return JSON.stringify(argument.value.toString("utf8"));
    case "array":
      return `[${argument.value.map(jsonText).join(",")}]`;
    case "object": {
      const sorted = [...argument.value].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      return `{${sorted.map(([key, value]) => `${JSON.stringify(key)}:${jsonText(value)}`).join(",")}}`;
    }
  }
}
