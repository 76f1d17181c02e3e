// Statements over the records of all organisations.
import type { Tx } from "../../../db/tenant";
import type { Removed } from "../../../db/upkeep";

/** Exported so that a test can ask how it is run. */
export const PRODUCT_PURGE = `delete from records.product p using (
       select tenant_id, id from records.product where deleted_at < now() - $1 * interval '1 day'
        order by deleted_at limit $2 for update skip locked) as gone
      where p.tenant_id = gone.tenant_id and p.id = gone.id`;

/** Removes products that were deleted `days` ago, the oldest first; one that is being restored stays. */
export function productPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(PRODUCT_PURGE, [days, limit]);
}

/** Exported so that a test can ask how it is run. */
export const CATEGORY_PURGE = `delete from records.category c using (
       select tenant_id, id from records.category where deleted_at < now() - $1 * interval '1 day'
        order by deleted_at limit $2 for update skip locked) as old
      where c.tenant_id = old.tenant_id and c.id = old.id
        and not exists (select from records.category b where b.tenant_id = old.tenant_id and b.parent_id = old.id)
        and not exists (select from records.product p where p.tenant_id = old.tenant_id and p.category_id = old.id)`;

/**
 * The same of categories, of which those go that nothing stands in or below, deleted or not: what stands above them is next. What stands
 * below was deleted before, so the oldest are never all held up. Looked at are `limit`, each by the indexes of what it holds.
 */
export async function categoryPurge(tx: Tx, days: number, limit: number): Promise<Removed> {
  const rows = await tx.execute(CATEGORY_PURGE, [days, limit]);
  return { rows, isOver: rows === 0 };
}

/** The same of budgets, with their periods: one that is restored at that moment comes back with what it has spent, or not at all. */
export function budgetPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `with gone as (
       select tenant_id, id from records.budget where deleted_at < now() - $1 * interval '1 day'
        order by deleted_at limit $2 for update skip locked),
          periods as (delete from records.budget_period p using gone where p.tenant_id = gone.tenant_id and p.budget_id = gone.id)
     delete from records.budget b using gone where b.tenant_id = gone.tenant_id and b.id = gone.id`,
    [days, limit],
  );
}

/** The same of accounts, which have no entries: those that have are not deleted. */
export function accountPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from records.account a using (
       select tenant_id, id from records.account where deleted_at < now() - $1 * interval '1 day'
        order by deleted_at limit $2 for update skip locked) as gone
      where a.tenant_id = gone.tenant_id and a.id = gone.id`,
    [days, limit],
  );
}

/** Exported so that a test can ask how it is run. */
export const ORDER_PURGE = `with gone as (
       select tenant_id, id from records.sales_order where deleted_at < now() - $1 * interval '1 day'
        order by deleted_at limit $2 for update skip locked),
          items as (delete from records.order_item i using gone where i.tenant_id = gone.tenant_id and i.order_id = gone.id)
     delete from records.sales_order o using gone where o.tenant_id = gone.tenant_id and o.id = gone.id`;

/** The same of orders, with their items, of which each has fifty at most. */
export function orderPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(ORDER_PURGE, [days, limit]);
}
