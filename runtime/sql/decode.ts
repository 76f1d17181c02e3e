// Columns on their way to JavaScript (contract 7.5), from Postgres' text form.
import { formatDecimal, parseDecimal } from "../schema/decimal";
import { dateOfColumn, timeOfColumn, timestampOfColumn } from "./date-texts";
import { nativeError } from "./errors";
import { JsonColumnProblem, parseJsonColumn } from "./json-column";
import { networkText } from "./networks";
import type { PgType, TypeCatalog } from "./pg-types";
import { debugJsonError, unreadable, unreadableText, unsupportedArray, wrongType } from "./rust-debug";

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

/** The older form, of a session that asked for it: octal numbers for what is no printable ASCII. */
function escapedBytes(text: string): Buffer {
  return Buffer.from(
    text.replace(/\\(\\|[0-7]{3})/g, (_, code: string) =>
      code === "\\" ? code : String.fromCharCode(parseInt(code, 8)),
    ),
    "latin1",
  );
}

/** An ArrayBuffer of its own, as officially. */
function bytes(text: string): ArrayBuffer {
  return new Uint8Array(text.startsWith("\\x") ? Buffer.from(text.slice(2), "hex") : escapedBytes(text)).buffer;
}

const same: Decode = (text) => text;
const single: Decode = (text) => (float(text) === null ? null : Math.fround(Number(text)));

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
  uuid: same,
  cidr: networkText,
  inet: networkText,
  timestamp: (text) => orTooLarge(timestampOfColumn(text)),
  timestamptz: (text) => orTooLarge(timestampOfColumn(text)),
  date: (text) => orTooLarge(dateOfColumn(text)),
  time: timeOfColumn,
  json: parseJsonColumn,
  jsonb: parseJsonColumn,
  bytea: bytes,
};

/** pgvector's type, known by its name. */
const vector: Decode = (text) =>
  text
    .slice(1, -1)
    .split(",")
    .map((element) => Math.fround(Number(element)));

/** Array types the runtime takes but does not read (7.5). */
const unreadArrays = new Set(["_uuid", "_bytea"]);

function scalarDecoder(type: PgType): Decode | undefined {
  if (type.kind === "enum") return same;
  if (type.name === "vector") return vector;
  return type.kind === "base" && type.schema === "pg_catalog" ? decoders[type.name] : undefined;
}

/** The elements of a one-dimensional array literal, or of a list with blanks (int2vector); NULL is null. */
function elementsOf(text: string): (string | null)[] {
  if (!/^[{[]/.test(text)) return text.split(" ");
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
  const element = type.of === undefined ? undefined : types.get(type.of);
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
    const type = context.types.get(column.typeOid);
    return { name: column.name, type, decode: decoderOf(type, context.types) };
  });
  return (values) => {
    const row: Record<string, unknown> = {};
    for (const [index, { name, type, decode }] of prepared.entries()) {
      if (!decode)
        throw nativeError(
          wrongType(
            name,
            index,
            type ?? { oid: 0, name: "unknown", kind: "pseudo", schema: "pg_catalog" },
            context.types,
          ),
        );
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
    if (error instanceof ValueProblem) throw nativeError(unreadableText(name, index, error.message));
    if (error instanceof JsonColumnProblem) throw nativeError(unreadable(name, index, debugJsonError(error.message)));
    throw error;
  }
}
