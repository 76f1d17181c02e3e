// Categories stay a tree, whoever changes them; by the endpoints, and by statements past them.
import { records } from "~encore/clients";
import { expect, test } from "vitest";
import { newId } from "../../../db/ids";
import { systemQuery, tenantQuery } from "../../../db/tenant";
import { createCaller } from "../../../testing";
import { purgeTenant } from "../tenant-purge";
import { category, product, reason, refusal } from "./things";

test("a category stands at the top or below another of its organisation, with a name that no sibling has", async () => {
  const by = createCaller();
  const drinks = await category(by, "Drinks");
  expect(drinks).toMatchObject({ version: 1, etag: '"1"' });
  expect(drinks.parentId).toBeUndefined();
  const tea = await category(by, "Tea", drinks.id);
  expect(await records.getCategory({ id: tea.id, include: "parent" }, by)).toMatchObject({
    parentId: drinks.id,
    parent: { id: drinks.id, name: "Drinks", version: 1 },
  });
  expect(await reason(category(by, "Drinks"))).toBe("category_name_taken");
  expect(await reason(category(by, "Tea", drinks.id))).toBe("category_name_taken");
  await category(by, "Drinks", drinks.id);
  const stranger = createCaller("owner");
  for (const parentId of [drinks.id, newId()])
    expect(await refusal(category(stranger, "Mine", parentId))).toMatchObject({
      reason: "category_not_found",
      fields: { parentId: expect.any(String) as string },
    });
  expect(await reason(records.getCategory({ id: drinks.id }, stranger))).toBe("category_not_found");
});

test("no category comes to stand below itself", async () => {
  const by = createCaller();
  const top = await category(by, "1");
  const middle = await category(by, "2", top.id);
  const low = await category(by, "3", middle.id);
  for (const parentId of [top.id, middle.id, low.id])
    expect(await reason(records.updateCategory({ id: top.id, ifMatch: "*", parentId }, by))).toBe("category_cycle");
  expect(await records.updateCategory({ id: middle.id, ifMatch: '"1"', parentId: null }, by)).toMatchObject({
    version: 2,
  });
  expect(await records.updateCategory({ id: top.id, ifMatch: "*", parentId: low.id }, by)).toMatchObject({
    parentId: low.id,
  });
  const sql = "update records.category set parent_id = $2 where tenant_id = $1 and id = $3";
  await expect(tenantQuery(by, sql, [by.tenantId, top.id, low.id])).rejects.toMatchObject({
    kind: "check_violation",
    constraint: "category_is_no_cycle",
  });
});

test("no way down is longer than 32, by what is made nor by what is moved", async () => {
  const by = createCaller();
  const chain = async (length: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let at = 0; at < length; at++) ids.push((await category(by, `${length}-${at}`, ids.at(-1))).id);
    return ids;
  };
  const long = await chain(32);
  expect(await reason(category(by, "33", long.at(-1)))).toBe("category_too_deep");
  const [short] = await chain(2);
  const move = (parentId: string): Promise<string | undefined> =>
    reason(records.updateCategory({ id: short!, ifMatch: "*", parentId }, by));
  expect(await move(long[30]!)).toBe("category_too_deep");
  expect(await move(long[29]!)).toBeUndefined();
});

test("what something living stands in is not deleted, and nothing comes to stand in what is", async () => {
  const by = createCaller();
  const top = await category(by, "top");
  const low = await category(by, "low", top.id);
  const remove = (id: string): Promise<string | undefined> => reason(records.removeCategory({ id, ifMatch: "*" }, by));
  expect(await remove(top.id)).toBe("category_in_use");
  expect(await reason(records.removeCategory({ id: low.id, ifMatch: '"7"' }, by))).toBe("precondition_failed");
  expect(await remove(low.id)).toBeUndefined();
  expect(await remove(top.id)).toBeUndefined();
  expect(await reason(category(by, "x", top.id))).toBe("category_not_found");
  const stale = { id: low.id, ifMatch: '"1"' };
  expect(await reason(records.restoreCategory(stale, by))).toBe("precondition_failed");
  expect(await reason(records.restoreCategory({ id: low.id }, by))).toBe("category_not_found");
  await category(by, "top");
  expect(await reason(records.restoreCategory({ id: top.id }, by))).toBe("category_name_taken");
  const living = await systemQuery(
    "test",
    `select c.id from records.category c join records.category p on p.tenant_id = c.tenant_id and p.id = c.parent_id
      where c.tenant_id = $1 and c.deleted_at is null and p.deleted_at is not null`,
    [by.tenantId],
  );
  expect(living).toEqual([]);
});

test("all of an organisation that is gone goes, in batches, and nothing of another", async () => {
  const by = createCaller();
  const other = createCaller();
  await category(other, "stays");
  let parentId: string | undefined;
  for (let at = 0; at < 5; at++) {
    parentId = (await category(by, `c${at}`, parentId)).id;
    await product(by, { categoryId: parentId });
  }
  // The one below is the older one: what is removed goes by where it stands.
  const below = await category(by, "below");
  await records.updateCategory({ id: below.id, parentId: (await category(by, "above")).id, ifMatch: "*" }, by);
  await purgeTenant(by.tenantId, { statementTimeoutMs: 5_000, totalMs: 60_000, batchMax: 2 });
  const left =
    "select (select count(*) from records.category where tenant_id = $1)::int + (select count(*) from records.product where tenant_id = $1)::int as n";
  expect(await systemQuery("test", left, [by.tenantId])).toEqual([{ n: 0 }]);
  expect(await systemQuery("test", left, [other.tenantId])).toEqual([{ n: 1 }]);
});
