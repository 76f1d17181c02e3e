// Parameters of one statement, as JavaScript hands them over (N-1): every value is looked at once, when the
// QueryArgs are made, so that what cannot travel fails there.
import { isDecimal } from "../schema/decimal";
import { formatDateTime } from "../schema/datetime";
import { checkDate, decimalText, encodeNumber, quote } from "../schema/encoder";
import { EncodeError } from "../schema/errors";
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

const refuse = (problem: string): never => {
  throw nativeError(problem, "InvalidArg");
};

/** A minus zero is an integer to the native side, which has none. */
function numberArgument(value: number): Argument {
  if (!Number.isFinite(value)) refuse("Failed to convert js number to serde_json::Number");
  return { kind: "number", value: value === 0 ? 0 : value };
}

const unrepresentable = (what: string): never => refuse(`${what} cannot be represented as a serde_json::Value`);

/** Enumerable keys, inherited ones included (H-84). */
function fieldsOf(value: Record<string, unknown>, depth: number): [string, Argument][] {
  const fields: [string, Argument][] = [];
  for (const key in value) if (value[key] !== undefined) fields.push([key, toArgument(value[key], depth + 1, false)]);
  return fields;
}

function objectArgument(value: object, depth: number): Argument {
  if (depth > maxDepth)
    refuse(`value exceeds the maximum nesting depth of ${maxDepth}; does it contain a circular reference?`);
  if (Array.isArray(value))
    return { kind: "array", value: Array.from(value, (element) => toArgument(element, depth + 1, false)) };
  if (value instanceof Date)
    return { kind: "date", value: Number.isNaN(value.getTime()) ? new Date(0) : checkDate(value) };
  if (isDecimal(value)) return { kind: "decimal", value: decimalText(value.value) };
  return { kind: "object", value: fieldsOf(value as Record<string, unknown>, depth) };
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
      return unrepresentable("undefined");
    case "function":
      return unrepresentable("JS functions");
    case "symbol":
      return unrepresentable("JS symbols");
    default:
      // Any view is a buffer to node's native interface.
      if (top && ArrayBuffer.isView(value))
        return { kind: "bytes", value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
      return objectArgument(value, depth);
  }
}

/** @throws an `InvalidArg` error for what no column can hold */
export function toArguments(values: unknown[]): Argument[] {
  try {
    return values.map((value) => toArgument(value, 1, true));
  } catch (error) {
    if (error instanceof EncodeError) return refuse(error.message);
    throw error;
  }
}

/** JSON of an argument; the keys of objects are sorted, decimals become strings. */
export function jsonText(argument: Argument): string {
  switch (argument.kind) {
    case "null":
      return "null";
    case "bool":
      return String(argument.value);
    case "number":
      return encodeNumber(argument.value);
    case "decimal":
    case "string":
      return quote(argument.value);
    case "date":
      return JSON.stringify(formatDateTime(argument.value));
    case "bytes":
      return quote(argument.value.toString("utf8"));
    case "array":
      return `[${argument.value.map(jsonText).join(",")}]`;
    case "object": {
      const sorted = [...argument.value].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      return `{${sorted.map(([key, value]) => `${quote(key)}:${jsonText(value)}`).join(",")}}`;
    }
  }
}
