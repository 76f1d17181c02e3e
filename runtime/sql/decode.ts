// Columns on their way to JavaScript (contract 7.5), from Postgres' text form.
import { formatDecimal, parseDecimal } from "../schema/decimal";
import { dateOfColumn, timestampOfColumn } from "./date-texts";
import { nativeError } from "./errors";
import { parseJsonColumn } from "./json-column";
import type { PgType, TypeCatalog } from "./pg-types";
import { unreadable, unsupportedArray, wrongType } from "./rust-debug";

export interface Column {
  name: string;
  typeOid: number;
}

/** What a column needs besides its text. */
export interface DecodeContext {
  types: TypeCatalog;
  newDecimal(text: string): unknown;
}

type Decode = (text: string, context: DecodeContext) => unknown;

/** A value the runtime does not read; the column's name is added where it is known. */
class ValueProblem extends Error {
  override name = "ValueProblem";
}

const tooLarge = "value too large to decode";

function bigint(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

function float(text: string): number | null {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

function decimal(text: string, context: DecodeContext): unknown {
  const parsed = parseDecimal(text);
  if (typeof parsed === "string") throw new ValueProblem(parsed);
  return context.newDecimal(formatDecimal(parsed));
}

function orTooLarge<T>(value: T | undefined): T {
  if (value === undefined) throw new ValueProblem(tooLarge);
  return value;
}

function bytes(text: string): ArrayBuffer {
  const buffer = Buffer.from(text.slice(2), "hex");
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
}

const same: Decode = (text) => text;
const single: Decode = (text) => float(text) === null ? null : Math.fround(Number(text));

const decoders: Record<string, Decode> = {
  bool: (text) => text === "t",
  int2: Number,
  int4: Number,
  oid: Number,
  int8: bigint,
  float4: single,
  float8: float,
  numeric: decimal,
  text: same,
  varchar: same,
  name: same,
  unknown: same,
  uuid: same,
  cidr: same,
  inet: same,
  timestamp: (text) => orTooLarge(timestampOfColumn(text)),
  timestamptz: (text) => orTooLarge(timestampOfColumn(text)),
  date: (text) => orTooLarge(dateOfColumn(text)),
  time: same,
  json: parseJsonColumn,
  jsonb: parseJsonColumn,
  bytea: bytes,
  vector: (text) => text.slice(1, -1).split(",").map((element) => Math.fround(Number(element))),
};

/** Array types the runtime takes but does not read (7.5). */
const unreadArrays = new Set(["_uuid", "_bytea", "_cidr"]);

function scalarDecoder(type: PgType): Decode | undefined {
  if (type.kind === "enum") return same;
  return type.kind === "base" ? decoders[type.name] : undefined;
}

/** The elements of a one-dimensional array literal; NULL is null. */
function elementsOf(text: string): (string | null)[] {
  const body = text.startsWith("[") ? text.slice(text.indexOf("=") + 1) : text;
  if (body.startsWith("{{")) throw new ValueProblem("array contains too many dimensions");
  const elements: (string | null)[] = [];
  const element = /[{,](?:"((?:[^"\\]|\\.)*)"|([^",{}]+))/gy;
  for (let match = element.exec(body); match; match = element.exec(body)) {
    const [, quoted, bare] = match;
    elements.push(quoted === undefined ? (bare === "NULL" ? null : (bare ?? "")) : quoted.replace(/\\(.)/gs, "$1"));
  }
  return elements;
}

function arrayDecoder(type: PgType, types: TypeCatalog): Decode | undefined {
  if (unreadArrays.has(type.name)) {
    return () => {
      throw new ValueProblem(unsupportedArray(type));
    };
  }
  const element = type.of === undefined ? undefined : types.base(type.of);
  const decode = element && scalarDecoder(element);
  return decode && ((text, context) => elementsOf(text).map((item) => (item === null ? null : decode(item, context))));
}

function decoderOf(type: PgType | undefined, types: TypeCatalog): Decode | undefined {
  if (!type) return undefined;
  return type.kind === "array" ? arrayDecoder(type, types) : scalarDecoder(type);
}

export type RowDecoder = (values: (string | null)[]) => Record<string, unknown>;

/** Prepares the reading of rows of one shape; a column nobody can read fails when a row is read (13.3). */
export function rowDecoder(columns: Column[], context: DecodeContext): RowDecoder {
  const prepared = columns.map((column) => {
    const type = context.types.base(column.typeOid);
    return { name: column.name, type, decode: decoderOf(type, context.types) };
  });
  return (values) => {
    const row: Record<string, unknown> = {};
    for (const [index, { name, type, decode }] of prepared.entries()) {
      if (!decode) throw nativeError(wrongType(name, index, type ?? { oid: 0, name: "unknown", kind: "pseudo", schema: "pg_catalog" }));
      const text = values[index];
      row[name] = text == null ? null : readValue(name, index, () => decode(text, context));
    }
    return row;
  };
}

function readValue(name: string, index: number, read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof ValueProblem) throw nativeError(unreadable(name, index, error.message));
    throw error;
  }
}
