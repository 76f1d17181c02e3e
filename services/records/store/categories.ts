// The SQL of categories that is theirs alone; lists and changes are every record's (db/listing/, change.ts).
import { plainSql } from "../../../db/plain-statement";
import type { Tx } from "../../../db/tenant";
import type { RecordRow, Resource } from "../../../db/listing/resource";
import type { Ask } from "../../../db/listing/ask";
import { inserted, type Place, type Setting } from "./change";
import { commonColumns } from "./columns";

export interface CategoryRow extends RecordRow {
  name: string;
  parentId: string | null;
}

export const categories: Resource<CategoryRow> = {
  table: plainSql`records.category`,
  columns: {
    ...commonColumns,
    name: {
      sql: plainSql`name`,
      selected: plainSql`name`,
      type: "text",
      operators: ["eq", "in", "starts"],
      isSortable: true,
    },
    parentId: {
      sql: plainSql`parent_id`,
      selected: plainSql`parent_id as "parentId"`,
      type: "id",
      operators: ["eq", "in", "is"],
      isSortable: false,
    },
  },
  includes: {
    parent: plainSql`(select json_strip_nulls(json_build_object('id', c.id, 'name', c.name, 'parentId', c.parent_id, 'version', c.version))
      from records.category c where c.tenant_id = t.tenant_id and c.id = t.parent_id) as parent`,
  },
};

/** The fields that a change may set. */
export const categorySettings = {
  name: { set: plainSql`name =`, cast: plainSql`::text` },
  parentId: { set: plainSql`parent_id =`, cast: plainSql`::uuid` },
} as const satisfies Readonly<Record<string, Setting>>;

export type NewCategory = Pick<CategoryRow, keyof typeof categorySettings>;

const INSERT = plainSql`insert into records.category (tenant_id, id, name, parent_id, created_at, updated_at) values ($1, $2, $3, $4, now(), now())
  returning id, version, created_at as "createdAt", updated_at as "updatedAt", deleted_at as "deletedAt", name, parent_id as "parentId"`;

export async function categoryInsert(
  ask: Ask,
  { tenantId, id }: Place,
  { name, parentId }: NewCategory,
): Promise<CategoryRow> {
  return inserted(await ask<CategoryRow>(INSERT, [tenantId, id, name, parentId]));
}

const LOCK_TREE = plainSql`select pg_advisory_xact_lock(hashtextextended('records.category ' || $1::text, 0))`;

/**
 * Until the transaction ends nobody else changes the tenant's tree. The table's triggers take this lock too; whoever takes it first, before
 * it holds a row, waits for nobody who waits for that row.
 */
export function categoryLockTree(tx: Tx, tenantId: string): void {
  tx.executeLater(LOCK_TREE, [tenantId]);
}
