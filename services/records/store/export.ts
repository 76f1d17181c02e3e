// What an organisation's export holds of records: all of them, the deleted ones too. And the end of all of it.
import { declareExport } from "../../../db/tenant-export";
import type { Removed } from "../../../db/upkeep";
import type { Tx } from "../../../db/tenant";

const always = ["id", "version", "created_at", "updated_at", "deleted_at"];

declareExport("records", {
  exported: [
    { name: "records.category", order: { id: "uuid" }, columns: [...always, "parent_id", "name"] },
    {
      name: "records.product",
      order: { id: "uuid" },
      columns: [...always, "sku", "name", "description", "category_id", "price_minor", "currency", "stock"],
    },
  ],
  left: {},
});

type DeleteSome = (tx: Tx, tenantId: string, limit: number) => Promise<Removed>;

const products: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from records.product where tenant_id = $1 and id in (
       select id from records.product where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );

/** Those that nothing stands below, so that none takes more along than the statement says; what stood above them is next. */
const categories: DeleteSome = async (tx, tenantId, limit) => {
  const rows = await tx.execute(
    `delete from records.category where tenant_id = $1 and id in (
       select id from records.category c where tenant_id = $1
          and not exists (select 1 from records.category below where below.tenant_id = c.tenant_id and below.parent_id = c.id)
        order by id desc limit $2)`,
    [tenantId, limit],
  );
  return { rows, isOver: rows === 0 };
};

/** What there is of a tenant, in the order in which it must go; at most `limit` rows each. */
export const tenantDelete: readonly DeleteSome[] = [products, categories];
