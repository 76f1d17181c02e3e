// The SQL of products that is theirs alone; lists and changes are every record's (db/listing/, change.ts).
import { plainSql } from "../../../db/plain-statement";
import type { Tx } from "../../../db/tenant";
import type { RecordRow, Resource } from "../../../db/listing/resource";
import type { Ask } from "../../../db/listing/ask";
import { inserted, type Place, type Setting, type Target } from "./change";
import { commonColumns } from "./columns";

export interface ProductRow extends RecordRow {
  sku: string;
  name: string;
  description: string | null;
  categoryId: string | null;
  priceMinor: number;
  currency: string;
  stock: number;
}

export const products: Resource<ProductRow> = {
  table: plainSql`records.product`,
  columns: {
    ...commonColumns,
    sku: {
      sql: plainSql`sku`,
      selected: plainSql`sku`,
      type: "text",
      operators: ["eq", "in", "starts"],
      isSortable: true,
      isUnique: "living",
    },
    name: {
      sql: plainSql`name`,
      selected: plainSql`name`,
      type: "text",
      operators: ["eq", "in", "starts"],
      isSortable: true,
    },
    description: {
      sql: plainSql`description`,
      selected: plainSql`description`,
      type: "text",
      operators: [],
      isSortable: false,
    },
    categoryId: {
      sql: plainSql`category_id`,
      selected: plainSql`category_id as "categoryId"`,
      type: "id",
      operators: ["eq", "in", "is"],
      isSortable: false,
    },
    priceMinor: {
      sql: plainSql`price_minor`,
      selected: plainSql`price_minor as "priceMinor"`,
      type: "integer",
      operators: ["eq", "in", "gt", "gte", "lt", "lte"],
      isSortable: true,
    },
    currency: {
      sql: plainSql`currency`,
      selected: plainSql`currency`,
      type: "text",
      operators: ["eq"],
      isSortable: false,
    },
    stock: { sql: plainSql`stock`, selected: plainSql`stock`, type: "integer", operators: [], isSortable: false },
  },
  includes: {
    category: plainSql`(select json_strip_nulls(json_build_object('id', c.id, 'name', c.name, 'parentId', c.parent_id, 'version', c.version))
      from records.category c where c.tenant_id = t.tenant_id and c.id = t.category_id) as category`,
  },
};

/** The fields that a change may set. */
export const productSettings = {
  sku: { set: plainSql`sku =`, cast: plainSql`::text` },
  name: { set: plainSql`name =`, cast: plainSql`::text` },
  description: { set: plainSql`description =`, cast: plainSql`::text` },
  categoryId: { set: plainSql`category_id =`, cast: plainSql`::uuid` },
  priceMinor: { set: plainSql`price_minor =`, cast: plainSql`::bigint` },
  currency: { set: plainSql`currency =`, cast: plainSql`::text` },
} as const satisfies Readonly<Record<string, Setting>>;

const RETURNED = plainSql`id, version, created_at as "createdAt", updated_at as "updatedAt", deleted_at as "deletedAt", sku, name, description,
  category_id as "categoryId", price_minor as "priceMinor", currency, stock`;

const INSERT = plainSql`insert into records.product
  (tenant_id, id, sku, name, description, category_id, price_minor, currency, stock, created_at, updated_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now()) returning ${RETURNED}`;

export type NewProduct = Pick<ProductRow, keyof typeof productSettings | "stock">;

export async function productInsert(
  ask: Ask,
  { tenantId, id }: Place,
  { sku, name, description, categoryId, priceMinor, currency, stock }: NewProduct,
): Promise<ProductRow> {
  const fields = [sku, name, description, categoryId, priceMinor, currency, stock];
  return inserted(await ask<ProductRow>(INSERT, [tenantId, id, ...fields]));
}

const MOVE_STOCK = plainSql`update records.product set stock = stock + $3::int, updated_at = now()
  where tenant_id = $1 and id = $2 and deleted_at is null and stock::bigint + $3::int between 0 and 2147483647
    and ($4::bigint[] is null or version = any($4::bigint[])) returning ${RETURNED}`;

/**
 * Adds to a product's stock, or takes off what is there; whoever comes at the same moment waits, and sees what is left. It is the same
 * version afterwards: a sale stands in no editor's way.
 */
export async function productMoveStock(
  ask: Ask,
  { tenantId, id, versions }: Target,
  by: number,
): Promise<ProductRow | undefined> {
  return (await ask<ProductRow>(MOVE_STOCK, [tenantId, id, by, versions]))[0];
}

const LOCK_SKUS = plainSql`select pg_advisory_xact_lock(hashtextextended('records.product ' || $1::text, 0))`;
const SHARE_SKUS = plainSql`select pg_advisory_xact_lock_shared(hashtextextended('records.product ' || $1::text, 0))`;

/**
 * Until the transaction ends nobody else changes a SKU of the tenant, or makes several products. Whoever changes one takes one and gives one
 * up, and others wait for both: in whatever order several do that, two could wait for each other.
 */
export function productLockSkus(tx: Tx, tenantId: string): void {
  tx.executeLater(LOCK_SKUS, [tenantId]);
}

/** For who takes several and gives none up: many may, in the order of their SKUs, while nobody changes one. */
export function productShareSkus(tx: Tx, tenantId: string): void {
  tx.executeLater(SHARE_SKUS, [tenantId]);
}
