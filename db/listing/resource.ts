// What a kind of record tells about itself, once: its table, its columns, what lists may ask of them and what stands with it. The SQL of
// lists and changes is put together of these declarations' own texts alone (statement.ts, services/records/store/change.ts), never of a request's.

/** What comes behind a field's name in a request: `price=gte.100`. */
export const operators = ["eq", "in", "gt", "gte", "lt", "lte", "starts", "is"] as const;
export type Operator = (typeof operators)[number];

/** How values of a column are written in requests and cursors. */
export type ValueType = "text" | "integer" | "moment" | "id";

export interface Column {
  /** Its name in the table: plain SQL, as all here. */
  readonly sql: string;
  /** The name, and what it is called in rows. */
  readonly selected: string;
  readonly type: ValueType;
  /** By which it may be filtered: those that an index of the table serves. */
  readonly operators: readonly Operator[];
  /** Whether lists may be sorted by it. Then it is never null, and an index begins with the tenant and it. */
  readonly isSortable: boolean;
  /** Whose values are each of one record alone: of the tenant's living ones, or of all that there ever were. */
  readonly isUnique?: "living" | "ever";
}

export interface Resource<Row extends ListedRow = ListedRow> {
  readonly table: string;
  readonly columns: { readonly [Name in keyof Row & string]: Column };
  /** What `include` may name: a column of JSON each, over the table as `t`. */
  readonly includes: Readonly<Record<string, string>>;
  /** Nothing of it is changed or deleted: it has one version, and no bin. */
  readonly isAppendOnly?: true;
}

/** What every kind of record has. */
export interface ListedRow {
  id: string;
  createdAt: Date;
}

/** What those have that can be changed. */
export interface RecordRow extends ListedRow {
  version: number;
  updatedAt: Date;
  /** Since when it is deleted. */
  deletedAt: Date | null;
}

type ShownValue<Value> = Value extends Date ? string : Value;
type Nullable<Row> = { [Name in keyof Row]: null extends Row[Name] ? Name : never }[keyof Row];

/** A row on the wire: moments as ISO 8601, and what is null is absent. */
export type Shown<Row> = { [Name in Exclude<keyof Row, Nullable<Row>>]: ShownValue<Row[Name]> } & {
  [Name in Nullable<Row>]?: ShownValue<NonNullable<Row[Name]>>;
};

export function shownRecord<Row extends object>(row: Row): Shown<Row> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row) as [string, unknown][]) {
    if (value !== null) shown[name] = value instanceof Date ? value.toISOString() : value;
  }
  return shown as Shown<Row>;
}
