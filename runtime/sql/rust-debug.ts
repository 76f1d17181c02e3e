// Error texts as users of Encore see and match them (D-30): tokio-postgres' display form for what fails while a
// statement is prepared or bound, its multi-line debug form for what fails while rows are produced, and the
// form of a column that cannot be read.
import { debugString } from "../schema/rust-text";
import type { PgType } from "./pg-types";

/** The fields of a Postgres error that the texts show; `pg`'s DatabaseError has them all. */
export interface ServerError {
  severity?: string | undefined;
  code?: string | undefined;
  message: string;
  detail?: string | undefined;
  hint?: string | undefined;
  position?: string | undefined;
  where?: string | undefined;
  schema?: string | undefined;
  table?: string | undefined;
  column?: string | undefined;
  dataType?: string | undefined;
  constraint?: string | undefined;
  file?: string | undefined;
  line?: string | undefined;
  routine?: string | undefined;
}

/** A value that prints as `name(inner)`, `name { fields }` or plain text, indented as Rust's `{:#?}` does. */
type Debug = string | { name: string; of: Debug } | { name: string; fields: [string, Debug][] };

function print(value: Debug, indent: string): string {
  if (typeof value === "string") return value;
  const inner = `${indent}    `;
  if ("of" in value) return `${value.name}(\n${inner}${print(value.of, inner)},\n${indent})`;
  return `${value.name} {\n${value.fields.map(([name, field]) => `${inner}${name}: ${print(field, inner)},\n`).join("")}${indent}}`;
}

const some = (of: Debug): Debug => ({ name: "Some", of });
const optional = (text: string | undefined): Debug => (text === undefined ? "None" : some(debugString(text)));

/** Classes of SQLSTATE that Postgres itself uses; a user's own code prints as `Other`. */
const knownClasses = /^(?:0[0-9ABDFLPSZ]|2[0-8BDF]|3[489BDF]|40|42|44|5[3-8]|72|F0|HV|P0|XX)/;

function sqlState(code: string): Debug {
  const known = knownClasses.test(code) && !/^P[1-9]/.test(code);
  return { name: "SqlState", of: known ? `E${code}` : { name: "Other", of: debugString(code) } };
}

const severities: Record<string, string> = { ERROR: "Error", FATAL: "Fatal", PANIC: "Panic", WARNING: "Warning", NOTICE: "Notice" };

/** `db error: ERROR: text`, with detail and hint on lines of their own. */
export function displayServerError(error: ServerError): string {
  const detail = error.detail === undefined ? "" : `\nDETAIL: ${error.detail}`;
  const hint = error.hint === undefined ? "" : `\nHINT: ${error.hint}`;
  return `db error: ${error.severity ?? "ERROR"}: ${error.message}${detail}${hint}`;
}

export function debugServerError(error: ServerError): string {
  const severity = error.severity ?? "ERROR";
  const position: Debug = error.position === undefined ? "None" : some({ name: "Original", of: error.position });
  const fields: [string, Debug][] = [
    ["severity", debugString(severity)],
    ["parsed_severity", some(severities[severity] ?? "Error")],
    ["code", sqlState(error.code ?? "XX000")],
    ["message", debugString(error.message)],
    ["detail", optional(error.detail)],
    ["hint", optional(error.hint)],
    ["position", position],
    ["where_", optional(error.where)],
    ["schema", optional(error.schema)],
    ["table", optional(error.table)],
    ["column", optional(error.column)],
    ["datatype", optional(error.dataType)],
    ["constraint", optional(error.constraint)],
    ["file", optional(error.file)],
    ["line", error.line === undefined ? "None" : some(error.line)],
    ["routine", optional(error.routine)],
  ];
  return errorOf("Db", { name: "DbError", fields });
}

function errorOf(kind: Debug, cause: Debug | undefined): string {
  return print({ name: "Error", fields: [["kind", kind], ["cause", cause === undefined ? "None" : some(cause)]] }, "");
}

export const unexpectedMessage = errorOf("UnexpectedMessage", undefined);

/** Names that do not follow from Postgres' by capitals at underscores. */
const variantNames: Record<string, string> = {
  int4range: "Int4Range", numrange: "NumRange", tsrange: "TsRange", tstzrange: "TstzRange", daterange: "DateRange", int8range: "Int8Range",
  tsvector: "TsVector", tsquery: "Tsquery",
};

function variant(name: string): string {
  const plain = name.startsWith("_") ? name.slice(1) : name;
  const capitalised = variantNames[plain] ?? plain.split("_").map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("");
  return name.startsWith("_") ? `${capitalised}Array` : capitalised;
}

function debugType(type: PgType): Debug {
  if (type.schema === "pg_catalog") return variant(type.name);
  const kind = { base: "Simple", enum: "Enum", array: "Array", domain: "Domain", composite: "Composite", range: "Range", pseudo: "Pseudo" }[type.kind];
  return { name: "Other", of: { name: "Other", fields: [["name", debugString(type.name)], ["oid", String(type.oid)], ["kind", kind], ["schema", debugString(type.schema)]] } };
}

const fromSql = (index: number, cause: Debug): string => errorOf({ name: "FromSql", of: String(index) }, cause);

/** A column whose type the runtime does not read. */
export function wrongType(column: string, index: number, type: PgType): string {
  const cause: Debug = { name: "WrongType", fields: [["postgres", debugType(type)], ["rust", debugString("encore_runtime_core::sqldb::val::RowValue")]] };
  return `unable to parse column ${column}: ${fromSql(index, cause)}`;
}

/** A column whose value the runtime does not read. */
export const unreadable = (column: string, index: number, problem: string): string => `unable to parse column ${column}: ${fromSql(index, debugString(problem))}`;

export const unsupportedArray = (type: PgType): string => `unsupported type: ${variant(type.name)}`;
