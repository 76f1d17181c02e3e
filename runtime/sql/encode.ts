// Parameters on their way to Postgres (contract 7.4): what a value becomes is decided by the type that Postgres
// infers for its place. Texts of problems are the official ones.
import type { Argument } from "./arguments";
import { jsonText } from "./arguments";
import * as binary from "./binary-forms";
import { dateOf, dateTimeOf, naiveDateTimeOf, timeOf } from "./date-parameters";
import { nativeError, ParameterProblem } from "./errors";
import { networkBytes } from "./networks";
import type { PgType, TypeCatalog } from "./pg-types";
import { formatHeaderDateTime } from "../schema/datetime";
import { compareDecimal, formatDecimal, parseDecimal } from "../schema/decimal";
import { encodeNumber as numberText, isInteger32 } from "../schema/encoder";
import { displayFloat } from "../schema/rust-text";

const scalarTypes = new Set([
  "bool",
  "bytea",
  "int2",
  "int4",
  "int8",
  "oid",
  "float4",
  "float8",
  "numeric",
  "text",
  "varchar",
  "name",
  "uuid",
  "cidr",
  "inet",
  "date",
  "time",
  "timestamp",
  "timestamptz",
  "json",
  "jsonb",
]);
/** Names and enums take strings only. */
const textTypes = new Set(["text", "varchar"]);

const isEnum = (type: PgType): boolean => type.kind === "enum";
/** pgvector's type is known by its name, wherever it was installed. */
const isVector = (type: PgType): boolean => type.name === "vector";
const isJson = (type: PgType): boolean => type.name === "json" || type.name === "jsonb";

/** Whether values of the type can be parameters at all: a domain is none of the types it stands on. */
function isAccepted(type: PgType, types: TypeCatalog): boolean {
  if (type.kind === "array") {
    const element = type.of === undefined ? undefined : types.get(type.of);
    return element !== undefined && isAccepted(element, types);
  }
  return (
    isEnum(type) ||
    isVector(type) ||
    (type.schema === "pg_catalog" && type.kind === "base" && scalarTypes.has(type.name))
  );
}

const unsupported = (what: string, type: PgType): never => {
  throw new ParameterProblem(`${what} not supported for column of type ${type.name}`);
};

interface Range {
  name: string;
  min: bigint;
  max: bigint;
  form(value: bigint): Buffer;
}

const integers: Record<string, Range> = {
  int2: { name: "i16", min: -(2n ** 15n), max: 2n ** 15n - 1n, form: (value) => binary.int16(Number(value)) },
  int4: { name: "i32", min: -(2n ** 31n), max: 2n ** 31n - 1n, form: (value) => binary.int32(Number(value)) },
  int8: { name: "i64", min: -(2n ** 63n), max: 2n ** 63n - 1n, form: binary.int64 },
  oid: { name: "u32", min: 0n, max: 2n ** 32n - 1n, form: (value) => binary.uint32(Number(value)) },
};

function json(type: PgType, text: string): Buffer {
  return type.name === "jsonb" ? Buffer.concat([Buffer.from([1]), Buffer.from(text)]) : Buffer.from(text);
}

/** A float is taken when the nearest integer of the type is the same number: the largest ones are not exact (2^63). */
function wholeNumber(value: number, { name, min, max }: Range): bigint {
  if (isInteger32(value)) {
    if (BigInt(value) < min || BigInt(value) > max)
      throw new ParameterProblem("out of range integral type conversion attempted");
    return BigInt(value);
  }
  const whole = BigInt(Math.trunc(value));
  const held = whole < min ? min : whole > max ? max : whole;
  if (Number(held) !== value) throw new ParameterProblem(`number ${displayFloat(value)} is not an ${name}`);
  return held;
}

function encodeNumber(value: number, type: PgType): Buffer {
  const integer = integers[type.name];
  if (integer) return integer.form(wholeNumber(value, integer));
  if (type.name === "float4") return binary.float32(value);
  if (type.name === "float8") return binary.float64(value);
  if (type.name === "numeric") return binary.numeric(String(value));
  if (textTypes.has(type.name)) return Buffer.from(numberText(value));
  // Any other type gets the number's own eight bytes, and the server's verdict on them (Appendix B, 7.4).
  return isInteger32(value) ? binary.int64(BigInt(value)) : binary.float64(value);
}

/** A decimal as a float of the type, when there is one that is exactly the same. */
function exactFloat(text: string, round: (value: number) => number): number | undefined {
  const value = round(Number(text));
  return Number.isFinite(value) && compareDecimal({ __encore_decimal: true, value: text }, value) === 0
    ? value
    : undefined;
}

function encodeDecimal(text: string, type: PgType): Buffer {
  const impossible = (): never => {
    throw new ParameterProblem(`Cannot convert decimal to ${type.name.toUpperCase()}`);
  };
  const integer = integers[type.name];
  if (integer && type.name !== "oid") {
    if (!/^-?\d{1,20}$/.test(text) || BigInt(text) < integer.min || BigInt(text) > integer.max) return impossible();
    return integer.form(BigInt(text));
  }
  if (type.name === "float4") return binary.float32(exactFloat(text, Math.fround) ?? impossible());
  if (type.name === "float8") return binary.float64(exactFloat(text, Number) ?? impossible());
  if (type.name === "numeric") return binary.numeric(text);
  if (textTypes.has(type.name)) return Buffer.from(text);
  throw new ParameterProblem(`unsupported type for Decimal: ${type.name}`);
}

const hyphenated = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
const uuidText = new RegExp(`^(?:[0-9a-fA-F]{32}|${hyphenated}|\\{${hyphenated}\\}|urn:uuid:${hyphenated})$`);

/** Plain, hyphenated, in braces or as a URN. */
function uuidOf(text: string): Buffer {
  if (!uuidText.test(text)) throw new ParameterProblem("unable to parse uuid");
  return binary.uuid(text.replace(/^urn:uuid:|[{}]/g, ""));
}

function encodeNumericText(value: string): Buffer {
  const parsed = parseDecimal(value);
  if (typeof parsed === "string") throw new ParameterProblem(parsed);
  return binary.numeric(formatDecimal(parsed));
}

/** A JSON list of numbers. */
function vectorOfText(value: string): Buffer {
  const elements = parseJson(value);
  if (!Array.isArray(elements) || !elements.every(Number.isFinite))
    throw new ParameterProblem("unable to parse vector");
  return binary.vector(elements as number[]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function encodeString(value: string, type: PgType): Buffer {
  if (isEnum(type)) return Buffer.from(value);
  if (isVector(type)) return vectorOfText(value);
  switch (type.name) {
    case "text":
    case "varchar":
    case "name":
    case "bytea":
      return Buffer.from(value);
    case "uuid":
      return uuidOf(value);
    case "inet":
    case "cidr": {
      const bytes = networkBytes(value, type.name === "cidr");
      if (!bytes) throw new ParameterProblem(`unable to parse ${type.name}`);
      return bytes;
    }
    case "numeric":
      return encodeNumericText(value);
    case "date":
      return binary.date(dateOf(value));
    case "time":
      return binary.timeOfDay(timeOf(value));
    case "timestamp":
      return binary.timestamp(...naiveDateTimeOf(value));
    case "timestamptz":
      return binary.timestamp(...dateTimeOf(value));
    default:
      return unsupported("string", type);
  }
}

function encodeDate(value: Date, type: PgType): Buffer {
  if (type.name === "date") return binary.date(value.getTime());
  if (type.name === "timestamp" || type.name === "timestamptz") return binary.timestamp(value.getTime());
  if (textTypes.has(type.name)) return Buffer.from(formatHeaderDateTime(value));
  throw new ParameterProblem(`unsupported type for DateTime: ${type.name}`);
}

function encodeArray(elements: Argument[], type: PgType, types: TypeCatalog): Buffer {
  if (isVector(type)) {
    const numbers = elements.flatMap((element) => (element.kind === "number" ? [element.value] : []));
    if (numbers.length < elements.length) throw new ParameterProblem("vector element must be a number");
    return binary.vector(numbers);
  }
  const elementType = type.kind === "array" && type.of !== undefined ? types.get(type.of) : undefined;
  if (!elementType || type.of === undefined) throw nativeError("expected array type");
  return binary.array(
    type.of,
    elements.map((element) =>
      element.kind === "null" && !isJson(elementType) ? null : encodeValue(element, elementType, types),
    ),
  );
}

function encodeValue(argument: Argument, type: PgType, types: TypeCatalog): Buffer | null {
  if (argument.kind === "bytes") return argument.value;
  if (isJson(type)) return json(type, jsonText(argument));
  switch (argument.kind) {
    case "null":
      return null;
    case "bool":
      if (type.name === "bool") return Buffer.from([argument.value ? 1 : 0]);
      return textTypes.has(type.name) ? Buffer.from(String(argument.value)) : unsupported("bool", type);
    case "number":
      return encodeNumber(argument.value, type);
    case "decimal":
      return encodeDecimal(argument.value, type);
    case "string":
      return encodeString(argument.value, type);
    case "date":
      return encodeDate(argument.value, type);
    case "array":
      return encodeArray(argument.value, type, types);
    case "object":
      return unsupported("object", type);
  }
}

/**
 * Encodes a statement's parameters in binary form.
 * @param oids the types Postgres inferred for `$1 … $n`
 * @throws an error with the official text: wrong count, a value its type does not take, a type without form
 */
export function encodeArguments(values: Argument[], oids: number[], types: TypeCatalog): (Buffer | null)[] {
  if (values.length !== oids.length) throw nativeError(`expected ${oids.length} parameters but got ${values.length}`);
  return values.map((value, index) => {
    const type = types.get(oids[index] ?? 0);
    try {
      if (!type || !isAccepted(type, types)) {
        throw new ParameterProblem(
          `cannot convert between the Rust type \`encore_runtime_core::sqldb::val::RowValue\` and the Postgres type \`${type?.name ?? "unknown"}\``,
        );
      }
      return encodeValue(value, type, types);
    } catch (error) {
      if (error instanceof ParameterProblem)
        throw nativeError(`error serializing parameter ${index}: ${error.message}`);
      throw error;
    }
  });
}
