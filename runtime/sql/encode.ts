// Parameters on their way to Postgres (contract 7.4): what a value becomes is decided by the type that Postgres
// infers for its place. Texts of problems are the official ones.
import type { Argument } from "./arguments";
import { jsonText } from "./arguments";
import * as binary from "./binary-forms";
import { dateOf, dateTimeOf, naiveDateTimeOf, timeOf } from "./date-texts";
import { nativeError, ParameterProblem } from "./errors";
import type { PgType, TypeCatalog } from "./pg-types";
import { formatDecimal, parseDecimal } from "../schema/decimal";

const scalarTypes = new Set([
  "bool", "bytea", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "text", "varchar", "name", "unknown",
  "uuid", "cidr", "inet", "date", "time", "timestamp", "timestamptz", "json", "jsonb", "vector",
]);
const textTypes = new Set(["text", "varchar", "name", "unknown"]);

const isEnum = (type: PgType): boolean => type.kind === "enum";
const isText = (type: PgType): boolean => textTypes.has(type.name) || isEnum(type);
const isJson = (type: PgType): boolean => type.name === "json" || type.name === "jsonb";

/** Whether values of the type can be parameters at all. */
function isAccepted(type: PgType, types: TypeCatalog): boolean {
  if (type.kind === "array") {
    const element = type.of === undefined ? undefined : types.base(type.of);
    return element !== undefined && element.kind !== "array" && isAccepted(element, types);
  }
  return isEnum(type) || (type.kind === "base" && scalarTypes.has(type.name));
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

function encodeNumber(value: number, type: PgType): Buffer {
  const integer = integers[type.name];
  if (integer) {
    if (!Number.isInteger(value)) throw new ParameterProblem(`number ${value} is not an ${integer.name}`);
    const exact = BigInt(value);
    if (exact < integer.min || exact > integer.max) throw new ParameterProblem("out of range integral type conversion attempted");
    return integer.form(exact);
  }
  if (type.name === "float4") return binary.float32(value);
  if (type.name === "float8") return binary.float64(value);
  if (type.name === "numeric") return binary.numeric(String(value));
  if (textTypes.has(type.name)) return Buffer.from(String(value));
  // Any other type gets the number's own eight bytes, and the server's verdict on them (Appendix C, 7.4).
  return Number.isSafeInteger(value) ? binary.int64(BigInt(value)) : binary.float64(value);
}

function encodeDecimal(text: string, type: PgType): Buffer {
  const impossible = (): never => {
    throw new ParameterProblem(`Cannot convert decimal to ${type.name.toUpperCase()}`);
  };
  const integer = integers[type.name];
  if (integer) {
    if (!/^-?\d+$/.test(text) || BigInt(text) < integer.min || BigInt(text) > integer.max) return impossible();
    return integer.form(BigInt(text));
  }
  if (type.name === "float4" || type.name === "float8") {
    const value = Number(text);
    if (!Number.isFinite(value) || (/^-?\d+$/.test(text) && BigInt(value) !== BigInt(text))) return impossible();
    return type.name === "float4" ? binary.float32(value) : binary.float64(value);
  }
  if (type.name === "numeric") return binary.numeric(text);
  if (textTypes.has(type.name)) return Buffer.from(text);
  return unsupported("decimal", type);
}

const uuidText = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

function encodeNumericText(value: string): Buffer {
  const parsed = parseDecimal(value);
  if (typeof parsed === "string") throw new ParameterProblem(parsed);
  return binary.numeric(formatDecimal(parsed));
}

function vectorOfText(value: string): Buffer {
  const match = /^\s*\[([^\][]*)\]\s*$/.exec(value);
  const elements = (match?.[1] ?? "").split(",").map((text) => (text.trim() === "" ? NaN : Number(text)));
  if (!match || elements.some(Number.isNaN)) throw new ParameterProblem("unable to parse vector");
  return binary.vector(elements);
}

function encodeString(value: string, type: PgType): Buffer {
  if (isText(type) || type.name === "bytea") return Buffer.from(value);
  switch (type.name) {
    case "uuid":
      if (!uuidText.test(value)) throw new ParameterProblem("unable to parse uuid");
      return binary.uuid(value);
    case "inet":
    case "cidr": {
      const bytes = binary.network(value, type.name === "cidr");
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
    case "vector":
      return vectorOfText(value);
    default:
      return unsupported("string", type);
  }
}

function encodeDate(value: Date, type: PgType): Buffer {
  if (type.name === "date") return binary.date(value.getTime());
  if (type.name === "timestamp" || type.name === "timestamptz") return binary.timestamp(value.getTime());
  if (textTypes.has(type.name)) return Buffer.from(`${value.toISOString().replace(/\.000Z$/, "Z").slice(0, -1)}+00:00`);
  throw new ParameterProblem(`unsupported type for DateTime: ${type.name}`);
}

function encodeArray(elements: Argument[], type: PgType, types: TypeCatalog): Buffer {
  if (type.name === "vector") {
    return binary.vector(elements.map((element) => (element.kind === "number" ? element.value : element.kind === "decimal" ? Number(element.value) : unsupported("array", type))));
  }
  const elementType = type.kind === "array" && type.of !== undefined ? types.base(type.of) : undefined;
  if (!elementType || type.of === undefined) throw nativeError("expected array type");
  return binary.array(type.of, elements.map((element) => (element.kind === "null" && !isJson(elementType) ? null : encodeValue(element, elementType, types))));
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
    const type = types.base(oids[index] ?? 0);
    try {
      if (!type || !isAccepted(type, types)) {
        throw new ParameterProblem(`cannot convert between the Rust type \`encore_runtime_core::sqldb::val::RowValue\` and the Postgres type \`${type?.name ?? "unknown"}\``);
      }
      return encodeValue(value, type, types);
    } catch (error) {
      if (error instanceof ParameterProblem) throw nativeError(`error serializing parameter ${index}: ${error.message}`);
      throw error;
    }
  });
}
