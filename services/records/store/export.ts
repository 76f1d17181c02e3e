// What an organisation's export holds of records: all of them, the deleted ones too. And the end of all of it.
import { declareExport } from "../../../db/tenant-export";
import type { DeleteSome } from "../../../db/tenant-purge";

const always = ["id", "version", "created_at", "updated_at", "deleted_at"];

declareExport("records", {
  exported: [
    { name: "records.category", order: { id: "uuid" }, columns: [...always, "parent_id", "name"] },
    {
      name: "records.product",
      order: { id: "uuid" },
      columns: [...always, "sku", "name", "description", "category_id", "price_minor", "currency", "stock"],
    },
    {
      name: "records.sales_order",
      order: { id: "uuid" },
      columns: [
        ...[...always, "state", "reason", "reference", "placed_by", "currency", "total_minor", "item_count"],
        ...["payment_id", "saga_id", "cancel_requested_at"],
      ],
      personal: ["placed_by"],
      omitted: { payment_token: "what a payment is charged with: there for as long as it is under way" },
    },
    {
      name: "records.order_item",
      order: { order_id: "uuid", position: "integer" },
      columns: ["order_id", "position", "product_id", "sku", "name", "quantity", "unit_price_minor", "amount_minor"],
    },
    { name: "records.account", order: { id: "uuid" }, columns: [...always, "code", "name", "kind"] },
    {
      name: "records.budget",
      order: { id: "uuid" },
      columns: [
        ...[...always, "name", "account_id", "currency", "amount_minor", "period", "zone", "thresholds"],
        ...["starts_at", "counted_to"],
      ],
    },
    {
      name: "records.budget_period",
      order: { budget_id: "uuid", starts_at: "timestamptz" },
      columns: ["budget_id", "starts_at", "ends_at", "spent_minor", "told_percent"],
    },
    {
      name: "records.ledger_transaction",
      order: { id: "uuid" },
      columns: [
        ...["id", "number", "origin", "order_id", "reverses_id", "description", "reference"],
        ...["posted_by", "booked_at", "created_at", "entry_count"],
      ],
      personal: ["posted_by"],
    },
    {
      name: "records.ledger_entry",
      order: { transaction_id: "uuid", position: "integer" },
      columns: ["transaction_id", "position", "account_id", "amount_minor", "currency", "booked_at"],
    },
  ],
  left: {},
});

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

/** With their items, of which an order has fifty at most. */
const orders: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `with gone as (select id from records.sales_order where tenant_id = $1 order by id limit $2),
          items as (delete from records.order_item i using gone where i.tenant_id = $1 and i.order_id = gone.id)
     delete from records.sales_order o using gone where o.tenant_id = $1 and o.id = gone.id`,
    [tenantId, limit],
  );

const entries: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from records.ledger_entry where tenant_id = $1 and (transaction_id, position) in (
       select transaction_id, position from records.ledger_entry where tenant_id = $1 order by transaction_id, position limit $2)`,
    [tenantId, limit],
  );

/** Those that nothing reverses any more; what they reversed is next. */
const transactions: DeleteSome = async (tx, tenantId, limit) => {
  const rows = await tx.execute(
    `delete from records.ledger_transaction where tenant_id = $1 and id in (
       select id from records.ledger_transaction t where tenant_id = $1
          and not exists (select 1 from records.ledger_transaction r where r.tenant_id = t.tenant_id and r.reverses_id = t.id)
        order by created_at desc, id desc limit $2)`,
    [tenantId, limit],
  );
  return { rows, isOver: rows === 0 };
};

const budgetPeriods: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from records.budget_period where tenant_id = $1 and (budget_id, starts_at) in (
       select budget_id, starts_at from records.budget_period where tenant_id = $1 order by budget_id, starts_at limit $2)`,
    [tenantId, limit],
  );

const budgets: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from records.budget where tenant_id = $1 and id in (
       select id from records.budget where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );

const accounts: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from records.account where tenant_id = $1 and id in (
       select id from records.account where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );

/** What there is of a tenant, in the order in which it must go; at most `limit` rows each. */
export const tenantDelete: readonly DeleteSome[] = [
  orders,
  budgetPeriods,
  budgets,
  entries,
  transactions,
  accounts,
  products,
  categories,
];
