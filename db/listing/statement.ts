// The SQL of every list, put together of what the kind of record declares (resource.ts) and of nothing else; what the request brings
// travels as parameters. Plain texts (db/plain-statement.ts), so that a list costs one round trip and no reset.
// Each filter and sort key is a column that an index of the tenant serves, and a page goes on from where the one before ended (keyset).
// Source: https://use-the-index-luke.com/sql/partial-results/fetch-next-page
// Of several indexes the statement says by itself which one it goes by, behind a fence (a LIMIT in the inner query), because
// of texts the planner has no statistics (db.protect_table), and what it guesses may be the whole organisation:
//   found   the records that one filter finds, when they are few, are sorted
//   walked  the order's index is gone along until the page is full, where no filter finds few; for so many records and no more
import { joinPlain, plainParameter, plainSql } from "../plain-statement";
import type { TenantScope, TransactionOptions } from "../tenant";
import type { Ask } from "./ask";
import { isOfOrder, passesOver, positionText, type Condition, type Listing } from "./listing";
import type { ListedRow, Resource, ValueType } from "./resource";
import { prefixEnd } from "./prefix";

const SELECT = plainSql`select`;
const FROM = plainSql`from`;
const OF_TENANT = plainSql`as t where tenant_id = $1`;
const LIVING = plainSql`and deleted_at is null`;
const DELETED = plainSql`and deleted_at is not null`;
const AND = plainSql`and`;
const OR = plainSql`or`;
const OPEN = plainSql`(`;
const CLOSE = plainSql`)`;
const COMMA = plainSql`,`;
const ORDER_BY = plainSql`order by`;
const LIMIT = plainSql`limit`;
const OFFSET = plainSql`offset`;
const IS_NULL = plainSql`is null`;
const IS_SET = plainSql`is not null`;
const UP = plainSql`asc`;
const DOWN = plainSql`desc`;
const ID = plainSql`id`;
const SELECT_ALL = plainSql`select * from`;
const FENCED = plainSql`) as t where true`;
const SELECT_COUNTS = plainSql`select array[`;
const COUNT_OF = plainSql`(select count(*) from (select 1 from`;
const COUNTED = plainSql`) as found)::int`;
const END_COUNTS = plainSql`] as counts`;

const compared = {
  eq: plainSql`=`,
  gt: plainSql`>`,
  gte: plainSql`>=`,
  lt: plainSql`<`,
  lte: plainSql`<=`,
} as const;

const casts: Readonly<Record<ValueType, string>> = {
  text: plainSql`::text`,
  integer: plainSql`::bigint`,
  moment: plainSql`::timestamptz`,
  id: plainSql`::uuid`,
};
const listCasts: Readonly<Record<ValueType, string>> = {
  text: plainSql`::text[])`,
  integer: plainSql`::bigint[])`,
  moment: plainSql`::timestamptz[])`,
  id: plainSql`::uuid[])`,
};
/** True of every value. */
const firsts: Readonly<Record<ValueType, string>> = {
  text: plainSql`>= ''`,
  integer: plainSql`>= '-9223372036854775808'::bigint`,
  moment: plainSql`>= '-infinity'::timestamptz`,
  id: plainSql`>= '00000000-0000-0000-0000-000000000000'::uuid`,
};
const ANY = plainSql`= any(`;

/** The parts of a statement and its parameters, as they come together. */
class Composed {
  readonly parts: string[] = [];
  readonly values: unknown[] = [];

  add(...parts: readonly string[]): this {
    this.parts.push(...parts);
    return this;
  }

  value(value: unknown, cast: string): this {
    return this.add(plainParameter(this.values.push(value)), cast);
  }
}

/** Which of them are meant: those that live, unless those in the bin are asked for. */
function standing({ isAppendOnly }: Pick<Resource, "isAppendOnly">, listing?: Listing): string[] {
  if (isAppendOnly) return [];
  return [listing?.ofDeleted ? DELETED : LIVING];
}

const listOf = (parts: readonly string[]): string[] => parts.flatMap((part, at) => (at === 0 ? [part] : [COMMA, part]));

export interface RecordPage {
  /** With the fields that were asked for, and those that the order is by. */
  rows: Record<string, unknown>[];
  /** Absent on the last page. */
  next?: string;
  /** Where the way along the order was cut off, past WALK_MAX records, with the page not full: what fits behind it is not looked at. */
  cutAt?: string;
}

/** Whose records, and how they are asked for. */
export interface ListScope extends TenantScope {
  readonly ask: Ask;
}

/** How many records a filter may find to be what a list goes by: they are all looked at and sorted. */
export const FOUND_MAX = 2_000;
/** More than there can be of them by the time that the list is asked for, and few enough still. */
const FETCHED_MAX = 2 * FOUND_MAX;

/** How many records a list may pass over, or find to fit, along its order. */
export const WALK_MAX = 20_000;

/**
 * Those of the tenant's records that fit, in the order asked for. A page that was cut off is whole up to `cutAt` where both statements see one
 * state of the database.
 */
export async function recordList<Row extends ListedRow>(
  scope: ListScope,
  resource: Resource<Row>,
  listing: Listing,
  found: readonly Condition[] | undefined,
  options?: TransactionOptions,
): Promise<RecordPage> {
  const { text, values } = listStatement(scope.tenantId, resource, listing, found);
  const rows = await scope.ask<Record<string, unknown>>(text, values, options);
  const shown = rows.slice(0, listing.limit);
  const last = shown.at(-1);
  if (last !== undefined && rows.length > listing.limit) return { rows: shown, next: positionText(listing.sort, last) };
  const cutAt = isFenced(listing, found) ? await findCut(scope, resource, listing, options) : undefined;
  return { rows: shown, ...(cutAt === undefined ? {} : { cutAt }) };
}

/** The last record on the way along the order before its end, where the records go on behind it. */
async function findCut<Row extends ListedRow>(
  { tenantId, ask }: ListScope,
  { table, columns, isAppendOnly }: Resource<Row>,
  listing: Listing,
  options?: TransactionOptions,
): Promise<string | undefined> {
  const composed = new Composed();
  composed.values.push(tenantId);
  const selected = [columns.id.selected, ...listing.sort.map(({ column }) => column.selected)];
  composed.add(SELECT, ...listOf(selected), FROM, table, OF_TENANT, ...standing({ isAppendOnly }, listing));
  addWay(composed, listing);
  composed
    .add(LIMIT)
    .value(2, casts.integer)
    .add(OFFSET)
    .value(WALK_MAX - 1, casts.integer);
  const [last, beyond] = await ask<Record<string, unknown>>(joinPlain(composed.parts), composed.values, options);
  return last === undefined || beyond === undefined ? undefined : positionText(listing.sort, last);
}

/** How many living records each of these filters finds, counted to one more than FOUND_MAX. */
export async function recordCountFound<Row extends ListedRow>(
  { tenantId, ask }: ListScope,
  resource: Resource<Row>,
  filters: readonly (readonly Condition[])[],
): Promise<readonly number[]> {
  const { text, values } = countStatement(tenantId, resource, filters);
  const [row] = await ask<{ counts: number[] }>(text, values);
  return row?.counts ?? [];
}

/** Exported for the tests that ask the planner. */
export function countStatement(
  tenantId: string,
  resource: Pick<Resource, "table" | "isAppendOnly">,
  filters: readonly (readonly Condition[])[],
): { text: string; values: readonly unknown[] } {
  const composed = new Composed();
  composed.values.push(tenantId);
  composed.add(SELECT_COUNTS);
  for (const [at, conditions] of filters.entries()) {
    composed.add(...(at > 0 ? [COMMA] : []), COUNT_OF, resource.table, OF_TENANT, ...standing(resource));
    for (const condition of conditions) addCondition(composed, condition);
    addOrderOf(composed, conditions);
    composed
      .add(LIMIT)
      .value(FOUND_MAX + 1, casts.integer)
      .add(COUNTED);
  }
  composed.add(END_COUNTS);
  return { text: joinPlain(composed.parts), values: composed.values };
}

/**
 * @param found the conditions of one column, which find few: what the list goes by. Undefined: it goes along its order.
 * Exported for the tests that ask the planner.
 */
export function listStatement(
  tenantId: string,
  resource: Resource,
  listing: Listing,
  found: readonly Condition[] | undefined,
): { text: string; values: readonly unknown[] } {
  const { table, columns, includes } = resource;
  const all = columns as Readonly<Record<string, { selected: string }>>;
  const names = new Set([...listing.fields, ...listing.sort.map(({ name }) => name)]);
  const selected = [
    ...[...names].map((name) => all[name]?.selected ?? name),
    ...listing.includes.map((name) => includes[name] ?? name),
  ];
  const composed = new Composed();
  composed.values.push(tenantId);
  const isWalk = isFenced(listing, found);
  const hasInner = isWalk || found !== undefined;
  composed.add(SELECT, ...listOf(selected), FROM, ...(hasInner ? [OPEN, SELECT_ALL] : []));
  composed.add(table, OF_TENANT, ...standing(resource, listing));
  if (found === undefined) addWay(composed, listing);
  else addFound(composed, found);
  if (isWalk) composed.add(LIMIT).value(WALK_MAX, casts.integer);
  if (hasInner) {
    composed.add(FENCED);
    for (const condition of listing.conditions)
      if (!isInside(condition, listing, found)) addCondition(composed, condition);
    if (found !== undefined && listing.after !== undefined) addPosition(composed, listing, listing.after);
    addOrder(composed, listing);
  }
  composed.add(LIMIT).value(listing.limit + 1, casts.integer);
  if (listing.offset > 0) composed.add(OFFSET).value(listing.offset, casts.integer);
  return { text: joinPlain(composed.parts), values: composed.values };
}

/** Whether it holds behind the fence: of what the list goes by. */
const isInside = (condition: Condition, listing: Listing, found: readonly Condition[] | undefined): boolean =>
  found === undefined ? isOfOrder(condition, listing) : found.includes(condition);

/** Whether it goes along its order and may meet records that do not fit. */
const isFenced = (listing: Listing, found: readonly Condition[] | undefined): boolean =>
  found === undefined && passesOver(listing);

function addFound(composed: Composed, found: readonly Condition[]): void {
  for (const condition of found) addCondition(composed, condition);
  addOrderOf(composed, found);
  composed.add(LIMIT).value(FETCHED_MAX, casts.integer);
}

/** From the page's place along the order. */
function addWay(composed: Composed, listing: Listing): void {
  const within = listing.conditions.filter((condition) => isOfOrder(condition, listing));
  for (const condition of within) addCondition(composed, condition);
  if (listing.after !== undefined) addPosition(composed, listing, listing.after);
  else if (within.length === 0) addBeginning(composed, listing);
  addOrder(composed, listing);
}

/** So that the index of the filter's column is the cheapest way for whoever knows nothing of its values. */
function addOrderOf(composed: Composed, [condition]: readonly Condition[]): void {
  if (condition !== undefined) composed.add(ORDER_BY, condition.column.sql);
}

function addCondition(composed: Composed, { column: { sql, type }, operator, values, isNull }: Condition): void {
  composed.add(AND, sql);
  switch (operator) {
    case "is":
      composed.add(isNull ? IS_NULL : IS_SET);
      return;
    case "in":
      composed.add(ANY).value(values, listCasts[type]);
      return;
    case "starts": {
      // A range, which row security lets an index serve, where it would not "begins with".
      const [start = ""] = values;
      composed.add(compared.gte).value(start, casts.text);
      const end = prefixEnd(start);
      if (end !== undefined) composed.add(AND, sql, compared.lt).value(end, casts.text);
      return;
    }
    default:
      composed.add(compared[operator]).value(values[0], casts[type]);
  }
}

interface Key {
  sql: string;
  type: ValueType;
  isDown: boolean;
}

/** The order's keys; the id last, which tells equal ones apart, in the direction of the key before it. */
const keysOf = ({ sort }: Listing): Key[] => [
  ...sort.map(({ column: { sql, type }, isDown }) => ({ sql, type, isDown })),
  { sql: ID, type: "id", isDown: sort.at(-1)?.isDown ?? false },
];

/**
 * The first page of all begins at an end of its order's index, and says so: a planner that knows nothing of the table yet (a new database's, and
 * always the embedded one's) takes all indexes that begin with the tenant for equal, and sorted 100,000 records for a page of fifty.
 */
function addBeginning(composed: Composed, { sort: [first] }: Listing): void {
  if (first !== undefined) composed.add(AND, first.column.sql, firsts[first.column.type]);
}

/**
 * What comes after the position. In one direction throughout it is one comparison of rows, by which an index begins there. Else the first key
 * bounds the index, and those behind it say which of the equal ones: k1 >= v1 and (k1 > v1 or (k2 <= v2 and (k2 < v2 or …))).
 */
function addPosition(composed: Composed, listing: Listing, after: readonly string[]): void {
  const keys = keysOf(listing);
  composed.add(AND);
  if (keys.every(({ isDown }) => isDown === keys[0]?.isDown)) {
    composed.add(OPEN, ...listOf(keys.map(({ sql }) => sql)), CLOSE, keys[0]?.isDown ? compared.lt : compared.gt, OPEN);
    for (const [at, { type }] of keys.entries()) composed.add(...(at > 0 ? [COMMA] : [])).value(after[at], casts[type]);
    composed.add(CLOSE);
    return;
  }
  for (const [at, { sql, type, isDown }] of keys.entries()) {
    const isLast = at === keys.length - 1;
    if (!isLast)
      composed
        .add(sql, isDown ? compared.lte : compared.gte)
        .value(after[at], casts[type])
        .add(AND, OPEN);
    composed.add(sql, isDown ? compared.lt : compared.gt).value(after[at], casts[type]);
    if (!isLast) composed.add(OR, OPEN);
  }
  for (let at = 1; at < keys.length; at++) composed.add(CLOSE, CLOSE);
}

function addOrder(composed: Composed, listing: Listing): void {
  composed.add(ORDER_BY);
  for (const [at, { sql, isDown }] of keysOf(listing).entries())
    composed.add(...(at > 0 ? [COMMA] : []), sql, isDown ? DOWN : UP);
}
