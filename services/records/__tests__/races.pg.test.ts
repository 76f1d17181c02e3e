// What happens at the same moment: the embedded database has one session, so nothing races there. Deterministic in what must hold, not in
// who wins.
import { records } from "~encore/clients";
import { describe, expect, test } from "vitest";
import pg from "pg";
import { AppDB } from "../../../database";
import { newId } from "../../../db/ids";
import { systemQuery, withTenant } from "../../../db/tenant";
import { concurrent, createCaller, type Caller } from "../../../testing";
import { createProduct } from "../products";
import { askWithin } from "../../../db/listing/ask";
import { category, createRandom, deadlocksSeen, product, reason } from "./things";

const reasons = (settled: PromiseSettledResult<string | undefined>[]): (string | undefined)[] =>
  settled.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason)));

/** Living categories below themselves, or below what is deleted; and living products in what is. */
const broken = (by: Caller): Promise<unknown[]> =>
  systemQuery(
    "test",
    `with recursive way as (
       select id, parent_id, array[id] as seen, false as is_cycle from records.category where tenant_id = $1 and deleted_at is null
       union all
       select w.id, c.parent_id, seen || c.id, c.id = any(seen) from way w join records.category c on c.tenant_id = $1 and c.id = w.parent_id
        where not is_cycle)
     select id from way where is_cycle
     union all
     select c.id from records.category c join records.category p on p.tenant_id = $1 and p.id = c.parent_id
      where c.tenant_id = $1 and c.deleted_at is null and p.deleted_at is not null
     union all
     select r.id from records.product r join records.category c on c.tenant_id = $1 and c.id = r.category_id
      where r.tenant_id = $1 and r.deleted_at is null and c.deleted_at is not null`,
    [by.tenantId],
  );

const row = (sku: string) => ({ sku, name: sku, priceMinor: 1, currency: "EUR" });

/** Products whose ids ascend, with SKUs that do. */
async function made(by: Caller, count: number, prefix: string): Promise<[{ id: string }, ...{ id: string }[]]> {
  const rows = Array.from({ length: count }, (_, at) => row(`${prefix}${String(at).padStart(2, "0")}`));
  const { rows: done } = await records.createProducts({ rows }, by);
  return done.map(({ id = "" }) => ({ id })) as [{ id: string }, ...{ id: string }[]];
}

function outcomes(settled: PromiseSettledResult<{ rows: { status: string; reason?: string }[] }>[]): object {
  const counts: Record<string, number> = {};
  for (const result of settled)
    for (const { status, reason: why = status } of result.status === "fulfilled" ? result.value.rows : [])
      counts[why] = (counts[why] ?? 0) + 1;
  return counts;
}

describe("at the same moment", () => {
  test("two moves that make a cycle together: one is done, time and again", async () => {
    const by = createCaller();
    for (let round = 0; round < 10; round++) {
      const [a, b] = [await category(by, `a${round}`), await category(by, `b${round}`)];
      const below = [
        { id: a.id, parentId: b.id, ifMatch: "*" },
        { id: b.id, parentId: a.id, ifMatch: "*" },
      ];
      const settled = await concurrent(2, (at) => reason(records.updateCategory(below[at]!, by)));
      expect(reasons(settled).sort()).toEqual(["category_cycle", undefined]);
    }
    expect(await broken(by)).toEqual([]);
  });

  test("many random changes of a tree leave one, and nothing that lives in what is deleted", async () => {
    const by = createCaller();
    const ids = (await Promise.all(Array.from({ length: 8 }, (_, at) => category(by, `c${at}`)))).map(({ id }) => id);
    const random = createRandom(11);
    const acts = Array.from({ length: 300 }, () => {
      const [id, other] = [random.pick(ids), random.pick(ids)];
      return random.pick([
        () => records.updateCategory({ id, parentId: other, ifMatch: "*" }, by),
        () => records.updateCategory({ id, parentId: random.chance(0.3) ? null : other, ifMatch: "*" }, by),
        () => records.removeCategory({ id, ifMatch: "*" }, by),
        () => records.restoreCategory({ id }, by),
        () => product(by, { categoryId: id }),
        () => category(by, `n${random.integer(0, 1_000_000)}`, id),
        () => records.updateCategory({ id, name: `m${random.integer(0, 1_000_000)}`, ifMatch: "*" }, by),
      ]);
    });
    let next = 0;
    const lanes = await concurrent(12, async () => {
      const told: (string | undefined)[] = [];
      for (let act = acts[next++]; act !== undefined; act = acts[next++]) told.push(await reason(act()));
      return told;
    });
    const told = new Set(lanes.flatMap((lane) => (lane.status === "fulfilled" ? lane.value : [String(lane.reason)])));
    const foreseen = ["category_cycle", "category_in_use", "category_not_found", "category_too_deep", undefined];
    expect([...told].filter((why) => !foreseen.includes(why))).toEqual([]);
    expect(told.has(undefined)).toBe(true);
    expect(await broken(by)).toEqual([]);
  });

  test("products that enter a category while it is deleted: either they are in it, or it is gone", async () => {
    const by = createCaller();
    for (let round = 0; round < 10; round++) {
      const { id: categoryId } = await category(by, `c${round}`);
      const moved = await product(by);
      const settled = await concurrent(8, (at) => {
        if (at === 4) return reason(records.removeCategory({ id: categoryId, ifMatch: "*" }, by));
        if (at === 3) return reason(records.updateProduct({ id: moved.id, categoryId, ifMatch: "*" }, by));
        return reason(product(by, { categoryId }));
      });
      const [deletion] = reasons(settled).splice(4, 1);
      expect([undefined, "category_in_use"]).toContain(deletion);
    }
    expect(await broken(by)).toEqual([]);
  });

  test("a deletion waits for a product that is about to enter the category, and sees it", async () => {
    const by = createCaller();
    const { id: categoryId } = await category(by, "c");
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    let told: string | undefined;
    const deletion = begun
      .then(() => reason(records.removeCategory({ id: categoryId, ifMatch: "*" }, by)))
      .then((why) => (told = why ?? "deleted"));
    const watch = new pg.Client({ connectionString: AppDB.connectionString });
    await watch.connect();
    const waits = async (): Promise<boolean> =>
      (await watch.query("select 1 from pg_locks where not granted")).rowCount !== 0;
    await withTenant(by, async (tx) => {
      const place = { tenantId: by.tenantId, id: newId() };
      const fields = { sku: "s", name: "s", description: null, categoryId, priceMinor: 1, currency: "EUR", stock: 0 };
      await createProduct(askWithin(tx), place, fields);
      begin();
      await expect.poll(async () => told !== undefined || (await waits())).toBe(true);
    });
    await Promise.all([deletion, watch.end()]);
    expect(told).toBe("category_in_use");
    expect(await broken(by)).toEqual([]);
  });

  test("sixty-four clients that take the last hundred by ones take exactly a hundred", async () => {
    const by = createCaller();
    const { id } = await product(by, { stock: 100 });
    const lanes = await concurrent(64, async () => {
      let taken = 0;
      for (;;) {
        const why = await reason(records.moveProductStock({ id, by: -1 }, by));
        if (why === "stock_insufficient") return taken;
        expect(why).toBeUndefined();
        taken++;
      }
    });
    const taken = lanes.map((lane) => (lane.status === "fulfilled" ? lane.value : Number.NaN));
    expect(taken.reduce((sum, count) => sum + count, 0)).toBe(100);
    expect(await records.getProduct({ id }, by)).toMatchObject({ stock: 0, version: 1 });
  });

  test("of changes of one version one is done", async () => {
    const by = createCaller();
    const { id } = await product(by);
    const settled = await concurrent(16, (at) =>
      reason(records.updateProduct({ id, ifMatch: '"1"', name: `n${at}` }, by)),
    );
    expect(reasons(settled).filter((why) => why === undefined)).toHaveLength(1);
    expect(reasons(settled).filter((why) => why === "precondition_failed")).toHaveLength(15);
    expect(await records.getProduct({ id }, by)).toMatchObject({ version: 2 });
  });

  test("one SKU is one product's, and rows of several requests in whatever order wait for each other in none", async () => {
    const by = createCaller();
    const skus = Array.from({ length: 40 }, (_, at) => `s${at}`);
    const settled = await concurrent(8, (at) =>
      records.createProducts({ rows: (at % 2 === 0 ? skus : [...skus].reverse()).map(row) }, by),
    );
    const done = settled.flatMap((result) => (result.status === "fulfilled" ? result.value.rows : []));
    expect(done).toHaveLength(320);
    expect(done.filter(({ status }) => status === "done")).toHaveLength(40);
    expect(done.filter(({ reason: why }) => why === "sku_taken")).toHaveLength(280);
  });

  test("requests of several rows that give SKUs in opposite orders wait for each other in no circle", async () => {
    const by = createCaller();
    const before = await deadlocksSeen();
    for (let round = 0; round < 5; round++) {
      const rows = await made(by, 40, `old-${round}`);
      const skus = rows.map((_, at) => `new-${round}-${String(at).padStart(2, "0")}`);
      const upwards = rows.slice(0, 20).map(({ id }, at) => ({ id, sku: skus[at]! }));
      const downwards = rows.slice(20).map(({ id }, at) => ({ id, sku: skus[19 - at]! }));
      const settled = await concurrent(2, (at) => records.updateProducts({ rows: [upwards, downwards][at]! }, by));
      expect(outcomes(settled)).toEqual({ done: 20, sku_taken: 20 });
    }
    expect(await deadlocksSeen()).toBe(before);
  });

  test("nor do those that give up a SKU which others take", async () => {
    const by = createCaller();
    const before = await deadlocksSeen();
    const text = (at: number): string => String(at).padStart(2, "0");
    for (let round = 0; round < 5; round++) {
      const rows = await made(by, 30, `${round}-z`);
      const giving = rows.map(({ id }, at) => ({ id, sku: `${round}-d${text(at)}` }));
      const taking = rows.map((_, at) => `${round}-${at < 15 ? `z${text(at)}` : `d${text(at)}`}`);
      const [{ id: single }] = await made(by, 1, `${round}-y`);
      const settled = await concurrent(3, async (at) => {
        if (at === 0) return records.updateProducts({ rows: giving }, by);
        if (at === 1) return records.createProducts({ rows: taking.map(row) }, by);
        return { rows: [{ status: await reason(records.updateProduct({ id: single, sku: `${round}-z07` }, by)) }] };
      });
      expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    }
    expect(await deadlocksSeen()).toBe(before);
  });
});
