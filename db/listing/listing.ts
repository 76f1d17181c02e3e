// What a list is asked for, read against what its kind of record declares: filters, order, page, fields. Pure; a request that names
// anything else is refused with the parameter's name.
//   ?priceMinor=gte.100&priceMinor=lt.500&name=starts.Tea     filters, all of which hold
//   &sort=-createdAt,name                                     order; - is downwards
//   &limit=20&cursor=…  or  &limit=20&page=3                   pages, by the end of the one before or by number
//   &fields=name,priceMinor&include=category                   what of each record, and what with it
import { commonErrors } from "../../security/common-errors";
import { operators, type Column, type ListedRow, type Operator, type Resource } from "./resource";
import { readPlace, readValue, wantedOf } from "./values";

export interface ListRequest {
  page?: number | undefined;
  limit?: number | undefined;
  sort?: string | undefined;
  cursor?: string | undefined;
  fields?: string | undefined;
  include?: string | undefined;
  deleted?: boolean | undefined;
  /** By the names of columns. */
  filters: Readonly<Record<string, readonly string[] | undefined>>;
}

export interface Condition {
  column: Column;
  operator: Operator;
  /** One, or for `in` several; none for `is`, where `isNull` says which. */
  values: readonly string[];
  isNull: boolean;
}

export interface SortKey {
  name: string;
  column: Column;
  isDown: boolean;
}

export interface Listing {
  conditions: readonly Condition[];
  sort: readonly SortKey[];
  /** The values of the sort keys, and the id, that the page before ended with. */
  after: readonly string[] | undefined;
  offset: number;
  limit: number;
  fields: readonly string[];
  includes: readonly string[];
  /** Whether it is of what is deleted. */
  ofDeleted: boolean;
}

/** Whether it is on what the order begins with: then it bounds the way along the order's index. */
export const isOfOrder = ({ column }: Condition, { sort }: Listing): boolean => column === sort[0]?.column;

/** Whether a way along its order meets records that do not fit. */
export const passesOver = (listing: Listing): boolean =>
  listing.conditions.some((condition) => !isOfOrder(condition, listing));

const LIMIT_DEFAULT = 50;
const SORT_KEYS_MAX = 3;
const CONDITIONS_MAX = 12;
const VALUES_MAX = 50;
/** Pages by number count what they pass over, so that their cost grows: further on the cursor is the way. */
const OFFSET_MAX = 10_000;
const DEFAULT_SORT = "-createdAt";
/** What is deleted is kept in the order in which it went, and in no other. */
const DELETED_SORT = "-deletedAt";
const QUOTED = /^"((?:[^"\\]|\\.)*)"/s;
const ESCAPED = /\\(.)/gs;
/** What every answer has, whatever fields were asked for: without it nothing can be changed. */
const ALWAYS = ["id", "version"];

/** @throws APIError invalid_request that names the parameter */
export function readListing<Row extends ListedRow>(resource: Resource<Row>, request: ListRequest): Listing {
  const columns = resource.columns as Readonly<Record<string, Column>>;
  const ofDeleted = request.deleted ?? false;
  const sort = readSort(columns, request.sort, ofDeleted);
  const limit = Math.floor(request.limit ?? LIMIT_DEFAULT);
  return {
    conditions: readConditions(columns, request.filters),
    sort,
    after: request.cursor === undefined ? undefined : readPosition(request.cursor, sort),
    offset: readOffset(request, limit),
    limit,
    fields: readFields(columns, request.fields),
    includes: readIncludes(resource, request.include),
    ofDeleted,
  };
}

/** What `include` names. @throws APIError invalid_request */
export const readIncludes = <Row extends ListedRow>({ includes }: Resource<Row>, text: string | undefined): string[] =>
  readNames("include", text, Object.keys(includes));

function refuse(field: string, problem: string): never {
  throw commonErrors.invalid_request({ fields: { [field]: problem } });
}

/** Names from a list that stands in one parameter, each once. */
function readNames(parameter: string, text: string | undefined, known: readonly string[]): string[] {
  if (text === undefined) return [];
  const names = [...new Set(text.split(","))];
  if (names.some((name) => !known.includes(name))) refuse(parameter, `takes names from: ${known.join(", ")}`);
  return names;
}

function readFields(columns: Readonly<Record<string, Column>>, text: string | undefined): string[] {
  const all = Object.keys(columns);
  const named = text === undefined ? all : readNames("fields", text, all);
  return [...new Set([...ALWAYS.filter((name) => all.includes(name)), ...named])];
}

function readSort(columns: Readonly<Record<string, Column>>, text: string | undefined, ofDeleted: boolean): SortKey[] {
  const sortable = ofDeleted ? ["deletedAt"] : Object.keys(columns).filter((name) => columns[name]?.isSortable);
  const keys = (text ?? (ofDeleted ? DELETED_SORT : DEFAULT_SORT)).split(",").map((part): SortKey => {
    const isDown = part.startsWith("-");
    const name = isDown ? part.slice(1) : part;
    const column = sortable.includes(name) ? columns[name] : undefined;
    return column === undefined
      ? refuse("sort", `takes, with - before a name for downwards: ${sortable.join(", ")}`)
      : { name, column, isDown };
  });
  if (keys.length > SORT_KEYS_MAX) refuse("sort", `takes ${SORT_KEYS_MAX} names at most`);
  if (new Set(keys.map(({ name }) => name)).size < keys.length) refuse("sort", "names something twice");
  return keys;
}

function readOffset({ page, cursor }: ListRequest, limit: number): number {
  if (page === undefined) return 0;
  if (cursor !== undefined) refuse("page", "stands instead of a cursor, not beside one");
  if (!Number.isInteger(page) || page < 1) refuse("page", "is a whole number from 1");
  const offset = (page - 1) * limit;
  return offset <= OFFSET_MAX ? offset : refuse("page", `is too far: go on with "next" of the page before`);
}

function readConditions(columns: Readonly<Record<string, Column>>, filters: ListRequest["filters"]): Condition[] {
  const conditions = Object.entries(filters).flatMap(([name, texts = []]) => {
    const column = columns[name];
    return texts.map((text) =>
      column === undefined ? refuse(name, "is no filter") : readCondition(name, column, text),
    );
  });
  if (conditions.length > CONDITIONS_MAX) refuse("(query)", `has more than ${CONDITIONS_MAX} filters`);
  return conditions;
}

function readCondition(name: string, column: Column, text: string): Condition {
  const dot = text.indexOf(".");
  const operator = operators.find((known) => known === text.slice(0, Math.max(dot, 0)));
  if (operator === undefined || !column.operators.includes(operator))
    refuse(name, `begins with one of these, and a dot: ${column.operators.join(", ")}`);
  const operand = text.slice(dot + 1);
  if (operator === "is") {
    if (operand !== "null" && operand !== "set") refuse(name, "takes is.null or is.set");
    return { column, operator, values: [], isNull: operand === "null" };
  }
  const texts = operator === "in" ? readList(name, operand) : [operand];
  if (texts.length > VALUES_MAX) refuse(name, `takes ${VALUES_MAX} values at most`);
  const values = texts.map((one) => readValue(column.type, one) ?? refuse(name, `takes ${wantedOf(column.type)}`));
  return { column, operator, values, isNull: false };
}

/** `a,b`; or as PostgREST writes it `(a,b)`, where one between quotes may have commas in it: `("a,b",c)`, and a backslash before a quote. */
function readList(name: string, text: string): string[] {
  if (!text.startsWith("(") || !text.endsWith(")") || text.length === 1) return text.split(",");
  const values: string[] = [];
  let rest = text.slice(1, -1);
  for (;;) {
    const [whole, quoted] = QUOTED.exec(rest) ?? [];
    const value = whole ?? rest.split(",", 1)[0] ?? "";
    values.push(quoted === undefined ? value : quoted.replaceAll(ESCAPED, "$1"));
    rest = rest.slice(value.length);
    if (rest === "") return values;
    if (!rest.startsWith(","))
      refuse(name, 'takes behind "in." values with commas between, those with a comma in quotes');
    rest = rest.slice(1);
  }
}

const sortText = (sort: readonly SortKey[]): string =>
  sort.map(({ name, isDown }) => (isDown ? `-${name}` : name)).join();

/** Where a page ends, for the caller to send back: by which order, the values of its last record there, and its id. */
export function positionText(sort: readonly SortKey[], row: Readonly<Record<string, unknown>>): string {
  const values = sort.map(({ name }) => {
    const value = row[name];
    return value instanceof Date ? value.toISOString() : String(value);
  });
  return Buffer.from(JSON.stringify([sortText(sort), ...values, row.id])).toString("base64url");
}

function readPosition(text: string, sort: readonly SortKey[]): string[] {
  const unreadable =
    'cannot be read: send the "next" of the page before as it is, with the same sort, or nothing for the first page';
  const read = parseJson(Buffer.from(text, "base64url").toString());
  if (!Array.isArray(read) || read.length !== sort.length + 2 || read[0] !== sortText(sort))
    refuse("cursor", unreadable);
  const types = [...sort.map(({ column }) => column.type), "id" as const];
  return types.map((type, at) => {
    const value: unknown = read[at + 1];
    const known = typeof value === "string" ? readPlace(type, value) : undefined;
    return known ?? refuse("cursor", unreadable);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
