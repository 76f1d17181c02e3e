// Error texts as users of Encore see and match them (D-30): tokio-postgres' display form for what fails while a
// statement is prepared or bound, its multi-line debug form for what fails while rows are produced, and the
// form of a column that cannot be read.
import { debugString } from "../schema/rust-text";
import type { PgType, TypeCatalog } from "./pg-types";
import { isKnownState } from "./sql-states";

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

/** A value that prints as `name(inner)`, `name { fields }`, `[items]` or plain text, indented as Rust's `{:#?}` does. */
type Debug = string | { name: string; of: Debug } | { name: string; fields: [string, Debug][] } | { items: Debug[] };

function print(value: Debug, indent: string): string {
  if (typeof value === "string") return value;
  const inner = `${indent}    `;
  if ("items" in value)
    return value.items.length
      ? `[\n${value.items.map((item) => `${inner}${print(item, inner)},\n`).join("")}${indent}]`
      : "[]";
  if ("of" in value) return `${value.name}(\n${inner}${print(value.of, inner)},\n${indent})`;
  return `${value.name} {\n${value.fields.map(([name, field]) => `${inner}${name}: ${print(field, inner)},\n`).join("")}${indent}}`;
}

const some = (of: Debug): Debug => ({ name: "Some", of });
const optional = (text: string | undefined): Debug => (text === undefined ? "None" : some(debugString(text)));

/** A code that is not Postgres' own prints as `Other`. */
function sqlState(code: string): Debug {
  return { name: "SqlState", of: isKnownState(code) ? `E${code}` : { name: "Other", of: debugString(code) } };
}

const severities: Record<string, string> = {
  ERROR: "Error",
  FATAL: "Fatal",
  PANIC: "Panic",
  WARNING: "Warning",
  NOTICE: "Notice",
};

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
  return print(
    {
      name: "Error",
      fields: [
        ["kind", kind],
        ["cause", cause === undefined ? "None" : some(cause)],
      ],
    },
    "",
  );
}

export const unexpectedMessage = errorOf("UnexpectedMessage", undefined);

/** Names that do not follow from Postgres' by capitals at underscores. */
const variantNames: Record<string, string> = {
  tsvector: "TsVector",
  gtsvector: "GtsVector",
  int2vector: "Int2Vector",
  oidvector: "OidVector",
  numrange: "NumRange",
  anyrange: "AnyRange",
  anycompatiblerange: "AnycompatibleRange",
};

function variant(name: string): string {
  const plain = name.startsWith("_") ? name.slice(1) : name;
  const words = plain.replace(/range$/, "Range").split("_");
  const capitalised = variantNames[plain] ?? words.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("");
  return name.startsWith("_") ? `${capitalised}Array` : capitalised;
}

const kindNames = {
  base: "Simple",
  enum: "Enum",
  array: "Array",
  domain: "Domain",
  composite: "Composite",
  range: "Range",
  pseudo: "Pseudo",
};

function debugKind(type: PgType, types: TypeCatalog): Debug {
  const name = kindNames[type.kind];
  if (type.labels) return { name, of: { items: type.labels.map(debugString) } };
  if (type.fields)
    return {
      name,
      of: {
        items: type.fields.map((field) => ({
          name: "Field",
          fields: [
            ["name", debugString(field.name)],
            ["type_", debugType(types.get(field.oid), types)],
          ],
        })),
      },
    };
  return type.of === undefined ? name : { name, of: debugType(types.get(type.of), types) };
}

function debugType(type: PgType | undefined, types: TypeCatalog): Debug {
  if (!type) return "Unknown";
  if (type.schema === "pg_catalog" && type.kind !== "composite") return variant(type.name);
  return {
    name: "Other",
    of: {
      name: "Other",
      fields: [
        ["name", debugString(type.name)],
        ["oid", String(type.oid)],
        ["kind", debugKind(type, types)],
        ["schema", debugString(type.schema)],
      ],
    },
  };
}

const fromSql = (index: number, cause: Debug): string => errorOf({ name: "FromSql", of: String(index) }, cause);

/** A column whose type the runtime does not read. */
export function wrongType(column: string, index: number, type: PgType, types: TypeCatalog): string {
  const cause: Debug = {
    name: "WrongType",
    fields: [
      ["postgres", debugType(type, types)],
      ["rust", debugString("encore_runtime_core::sqldb::val::RowValue")],
    ],
  };
  return `unable to parse column ${column}: ${fromSql(index, cause)}`;
}

/** A column whose value the runtime does not read, for a reason in its debug form. */
export const unreadable = (column: string, index: number, problem: Debug): string =>
  `unable to parse column ${column}: ${fromSql(index, problem)}`;

export const unreadableText = (column: string, index: number, problem: string): string =>
  unreadable(column, index, debugString(problem));

/** serde_json's debug form of `problem at line 1 column 5`. */
export function debugJsonError(message: string): string {
  const [, problem = message, line = "1", column = "0"] = /^(.*) at line (\d+) column (\d+)$/s.exec(message) ?? [];
  return `Error(${debugString(problem)}, line: ${line}, column: ${column})`;
}

export const unsupportedArray = (type: PgType): string => `unsupported type: ${variant(type.name)}`;
