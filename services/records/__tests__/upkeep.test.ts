// The upkeep of records: what was deleted long ago goes, and nothing else, in batches that find it without reading the rest.
import { records } from "~encore/clients";
import { beforeEach, expect, test } from "vitest";
import { tenantQuery, withSystem } from "../../../db/tenant";
import { createCaller, type Caller } from "../../../testing";
import { CATEGORY_PURGE, ORDER_PURGE, PRODUCT_PURGE } from "../store/upkeep";
import { purgeDeleted } from "../upkeep";
import { category, product, reason } from "./things";

const patient = { statementTimeoutMs: 60_000 };
const countOf = async (by: Caller, table: string): Promise<number> =>
  (
    await tenantQuery<{ n: number }>(by, `select count(*)::int as n from records.${table} where tenant_id = $1`, [
      by.tenantId,
    ])
  )[0]!.n;

/** As if they had been deleted so much longer ago. */
async function age(by: Caller, hours: number, ids?: string[]): Promise<void> {
  for (const table of ["product", "category"])
    await tenantQuery(
      by,
      `update records.${table} set deleted_at = deleted_at - $2 * interval '1 hour'
        where tenant_id = $1 and deleted_at is not null and ($3::uuid[] is null or id = any($3))`,
      [by.tenantId, hours, ids ?? null],
      patient,
    );
}

beforeEach(async () => {
  await purgeDeleted();
});

test("what was deleted thirty days ago goes, and what was an hour later, or lives, stays", async () => {
  const by = createCaller();
  const [old, younger, living] = [await product(by), await product(by), await product(by)];
  for (const { id } of [old, younger]) await records.removeProduct({ id }, by);
  await age(by, 719);
  await age(by, 2, [old.id]);
  expect(await purgeDeleted()).toBe(1);
  expect(await reason(records.restoreProduct({ id: old.id }, by))).toBe("product_not_found");
  expect(await reason(records.restoreProduct({ id: younger.id }, by))).toBeUndefined();
  expect(await reason(records.getProduct({ id: living.id }, by))).toBeUndefined();
});

test("a tree goes from its leaves, in one run; what something still stands in stays with it", async () => {
  const by = createCaller();
  const tree = await category(by, "tree");
  const branch = await category(by, "branch", tree.id);
  const leaf = await category(by, "leaf", branch.id);
  const other = await category(by, "other");
  const inOther = await product(by, { categoryId: other.id });
  await records.removeProduct({ id: inOther.id }, by);
  for (const { id } of [leaf, branch, tree, other]) await records.removeCategory({ id }, by);
  await age(by, 721, [leaf.id, branch.id, tree.id, other.id]);
  expect(await purgeDeleted({ ...patient, totalMs: 60_000, batchMax: 10 })).toBe(3);
  expect(await countOf(by, "category")).toBe(1);
  await age(by, 721, [inOther.id]);
  expect(await purgeDeleted()).toBe(2);
});

test("time that is used up leaves the rest to the next run", async () => {
  const by = createCaller();
  for (let n = 0; n < 3; n++) await records.removeProduct({ id: (await product(by)).id }, by);
  await age(by, 721);
  expect(await purgeDeleted({ ...patient, totalMs: 0, batchMax: 2 })).toBe(2);
  expect(await purgeDeleted()).toBe(1);
});

// Who deletes 600 records an hour does little else; here ten times that, beside three times as many that live.
test("six thousand deleted products and six hundred categories go in one run, and no living one is read", async () => {
  const by = createCaller();
  const insert = `with made as (
      insert into records.category (tenant_id, id, name, created_at, updated_at, deleted_at)
      select $1, gen_random_uuid(), 'c' || n, now(), now(), now() - interval '31 days' from generate_series(1, 600) n)
    insert into records.product (tenant_id, id, sku, name, price_minor, currency, stock, created_at, updated_at, deleted_at)
    select $1, gen_random_uuid(), 's' || n, 'n', 1, 'EUR', 0, now(), now(), case when n % 4 = 0 then now() - interval '31 days' end
      from generate_series(1, 24000) n`;
  await tenantQuery(by, insert, [by.tenantId], patient);
  expect(await purgeDeleted({ ...patient, totalMs: 60_000, batchMax: 500 })).toBe(6_600);
  expect([await countOf(by, "product"), await countOf(by, "category")]).toEqual([18_000, 0]);
  const purges = { product_deletion: PRODUCT_PURGE, category_deletion: CATEGORY_PURGE, order_deletion: ORDER_PURGE };
  for (const [index, statement] of Object.entries(purges)) {
    const plan = await withSystem("test", async (tx) => {
      // What the planner thinks of an empty table is its affair: asked is whether the index can do it.
      await tx.query("select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)");
      return tx.query(`explain ${statement}`, [30, 500]);
    });
    expect(JSON.stringify(plan)).toContain(index);
  }
  await tenantQuery(by, "delete from records.product where tenant_id = $1", [by.tenantId], patient);
});
