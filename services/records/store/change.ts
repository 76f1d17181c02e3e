// The SQL of every change of a record: of the version that is expected, and the next version afterwards. One statement each, which answers
// nothing where there is no such record or it has another version; recordState then tells which. Times are the database's.
import { joinPlain, plainParameter, plainSql } from "../../../db/plain-statement";
import type { ListedRow, RecordRow, Resource } from "../../../db/listing/resource";
import type { Ask } from "../../../db/listing/ask";

const UPDATE = plainSql`update`;
/** $3 is null for whatever version, else the versions that it may have. */
const NEXT_VERSION = plainSql`as t set version = version + 1, updated_at = now()`;
const COMMA = plainSql`,`;
const EXPECTED = plainSql`where tenant_id = $1 and id = $2 and ($3::bigint[] is null or version = any($3::bigint[]))`;
const LIVING = plainSql`and deleted_at is null returning`;
const DELETED = plainSql`and deleted_at is not null returning`;
const DELETE = plainSql`, deleted_at = now()`;
const RESTORE = plainSql`, deleted_at = null`;
const SELECT = plainSql`select`;
const SELECT_STATE = plainSql`select version, deleted_at is not null as "isDeleted" from`;
const FROM = plainSql`from`;
const OF_TENANT = plainSql`as t where tenant_id = $1 and id = $2`;
const IS_LIVING = plainSql`and deleted_at is null`;

/** Of which record. */
export interface Place {
  tenantId: string;
  id: string;
}

/** Which record, of which version. */
export interface Target extends Place {
  /** Null: whatever version it has. */
  versions: readonly number[] | null;
}

/** The one row of an insert. */
export function inserted<Row>([row]: readonly Row[]): Row {
  if (row === undefined) throw new Error("an insert answered no row");
  return row;
}

/** A field that may be set: plain SQL of its column with `=`, and its type. */
export interface Setting {
  readonly set: string;
  readonly cast: string;
}

const allOf = <Row extends ListedRow>({ columns }: Resource<Row>): string[] =>
  (Object.values(columns) as { selected: string }[]).flatMap(({ selected }, at) =>
    at === 0 ? [selected] : [COMMA, selected],
  );

const firstParams = ({ tenantId, id, versions }: Target): unknown[] => [tenantId, id, versions];

/** Sets fields of a living record; resolves with it as it is then. */
export async function recordUpdate<Row extends RecordRow>(
  ask: Ask,
  resource: Resource<Row>,
  target: Target,
  changes: readonly (Setting & { value: unknown })[],
): Promise<Row | undefined> {
  const params = firstParams(target);
  const sets = changes.flatMap(({ set, cast, value }) => [COMMA, set, plainParameter(params.push(value)), cast]);
  const text = joinPlain([UPDATE, resource.table, NEXT_VERSION, ...sets, EXPECTED, LIVING, ...allOf(resource)]);
  return (await ask<Row>(text, params))[0];
}

/** Deletes a living record; resolves with it, as it can be restored. */
export async function recordDelete<Row extends RecordRow>(
  ask: Ask,
  resource: Resource<Row>,
  target: Target,
): Promise<Row | undefined> {
  const text = joinPlain([UPDATE, resource.table, NEXT_VERSION, DELETE, EXPECTED, LIVING, ...allOf(resource)]);
  return (await ask<Row>(text, firstParams(target)))[0];
}

/** Brings a deleted record back. */
export async function recordRestore<Row extends RecordRow>(
  ask: Ask,
  resource: Resource<Row>,
  target: Target,
): Promise<Row | undefined> {
  const text = joinPlain([UPDATE, resource.table, NEXT_VERSION, RESTORE, EXPECTED, DELETED, ...allOf(resource)]);
  return (await ask<Row>(text, firstParams(target)))[0];
}

/** A living record, with what `includes` name. */
export async function recordFind<Row extends ListedRow>(
  ask: Ask,
  resource: Resource<Row>,
  { tenantId, id }: Place,
  includes: readonly string[] = [],
): Promise<Row | undefined> {
  const included = includes.flatMap((name) => [COMMA, resource.includes[name] ?? name]);
  const standing = resource.isAppendOnly ? [] : [IS_LIVING];
  const text = joinPlain([SELECT, ...allOf(resource), ...included, FROM, resource.table, OF_TENANT, ...standing]);
  return (await ask<Row>(text, [tenantId, id]))[0];
}

export interface RecordState {
  version: number;
  isDeleted: boolean;
}

/** What there is of a record, deleted or not. */
export async function recordState(
  ask: Ask,
  { table }: Pick<Resource, "table">,
  { tenantId, id }: Place,
): Promise<RecordState | undefined> {
  return (await ask<RecordState>(joinPlain([SELECT_STATE, table, OF_TENANT]), [tenantId, id]))[0];
}
