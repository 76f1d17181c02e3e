// Products, from making one to restoring it; by the endpoints, against the database.
import { records } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { newId } from "../../../db/ids";
import { createCaller } from "../../../testing";
import { category, product, reason, refusal } from "./things";

describe("a product", () => {
  test("is as it was made, for all of its organisation and for nobody else", async () => {
    const by = createCaller();
    const { id: categoryId } = await category(by, "Drinks");
    const fields = {
      sku: "t-1",
      name: "Tea",
      description: "Green.\n",
      categoryId,
      priceMinor: 9_007_199_254,
      currency: "JPY",
    };
    const made = await product(by, fields);
    expect(made).toEqual({
      ...fields,
      stock: 0,
      id: made.id,
      version: 1,
      etag: '"1"',
      createdAt: made.createdAt,
      updatedAt: made.createdAt,
    });
    expect(await records.getProduct({ id: made.id }, createCaller("viewer", by))).toEqual(made);
    const stranger = createCaller("owner");
    const none = await refusal(records.getProduct({ id: newId() }, stranger));
    expect(none).toMatchObject({ reason: "product_not_found" });
    for (const ask of [
      () => records.getProduct({ id: made.id }, stranger),
      () => records.getProduct({ id: "none" }, stranger),
      () => records.updateProduct({ id: made.id, name: "Mine", ifMatch: "*" }, stranger),
      () => records.moveProductStock({ id: made.id, by: -1 }, stranger),
      () => records.removeProduct({ id: made.id, ifMatch: "*" }, stranger),
      () => records.restoreProduct({ id: made.id }, stranger),
    ])
      expect(await reason(ask())).toBe("product_not_found");
    expect(await reason(product(stranger, { categoryId }))).toBe("category_not_found");
    expect(await records.getProduct({ id: made.id }, by)).toEqual(made);
  });

  test("comes with its category where that is asked for, and then without a tag that would go on fitting", async () => {
    const by = createCaller();
    const { id: parentId } = await category(by, "Drinks");
    const { id: categoryId } = await category(by, "Tea", parentId);
    const { id } = await product(by, { categoryId });
    const shown = await records.getProduct({ id, include: "category" }, by);
    expect(shown.category).toEqual({ id: categoryId, name: "Tea", parentId, version: 1 });
    expect(shown.etag).toBeUndefined();
    expect(await reason(records.getProduct({ id, include: "owner" }, by))).toBe("invalid_request");
  });

  test.each([
    ["a control character", { name: "a\u0007b" }, "name"],
    ["a NUL", { description: "\u0000" }, "description"],
    ["an invented currency", { currency: "XXQ" }, "currency"],
    ["a part of a cent", { priceMinor: 0.5 }, "priceMinor"],
    ["a part of a thing", { stock: 1.5 }, "stock"],
    ["a category that is no id", { categoryId: "drinks" }, "categoryId"],
  ])("with %s is refused, by the field's name", async (_what, fields, field) => {
    expect(await refusal(product(createCaller(), fields))).toMatchObject({
      reason: "invalid_request",
      fields: { [field]: expect.any(String) as string },
    });
  });
});

test("times are the database's, whatever this process takes for the time", async () => {
  const by = createCaller();
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2001-01-01") });
  try {
    const made = await product(by);
    const { id } = await category(by, "c");
    await records.removeProduct({ id: made.id }, by);
    await records.removeCategory({ id }, by);
    const gone = [
      await records.listProducts({ deleted: true }, by),
      await records.listCategories({ deleted: true }, by),
    ];
    for (const { items } of gone)
      for (const { createdAt, updatedAt, deletedAt } of items)
        expect([createdAt, updatedAt, deletedAt].map((at = "") => at > "2026")).toEqual([true, true, true]);
  } finally {
    vi.useRealTimers();
  }
});

describe("a change", () => {
  test("sets what it names and no more, and makes the next version", async () => {
    const by = createCaller();
    const before = await product(by, { description: "Green.", stock: 3 });
    const patch = { id: before.id, ifMatch: before.etag!, priceMinor: 500, description: null };
    const after = await records.updateProduct(patch, by);
    const { description, ...rest } = before;
    expect(description).toBe("Green.");
    expect(after).toEqual({ ...rest, priceMinor: 500, version: 2, etag: '"2"', updatedAt: after.updatedAt });
    expect(await records.getProduct({ id: before.id }, by)).toEqual(after);
    const changed = await records.updateProduct(
      { id: before.id, ifMatch: "*", sku: "new", name: "n", currency: "USD", priceMinor: 700 },
      by,
    );
    expect(changed).toMatchObject({ version: 3, sku: "new", name: "n", currency: "USD", stock: 3, priceMinor: 700 });
  });

  test("may say of which version it is, and is refused where that is another", async () => {
    const by = createCaller();
    const { id } = await product(by);
    for (const ifMatch of ['"2"', "1", 'W/"1"', '"01"', '"1.0"', '"x"', "", '""', '"-1"', '"99999999999"'])
      expect(await reason(records.updateProduct({ id, ifMatch, name: "x" }, by)), ifMatch).toBe("precondition_failed");
    await records.updateProduct({ id, ifMatch: '"7", "1"', name: "x" }, by);
    expect(await refusal(records.updateProduct({ id, ifMatch: '"1"', name: "y" }, by))).toMatchObject({
      reason: "precondition_failed",
      version: "2",
    });
    expect(await reason(records.removeProduct({ id, ifMatch: '"1"' }, by))).toBe("precondition_failed");
    expect(await reason(records.moveProductStock({ id, ifMatch: '"1"', by: 1 }, by))).toBe("precondition_failed");
    expect(await records.getProduct({ id }, by)).toMatchObject({ name: "x", version: 2 });
    expect(await records.moveProductStock({ id, ifMatch: '"2"', by: 1 }, by)).toMatchObject({ version: 2 });
    expect(await records.updateProduct({ id, name: "z" }, by)).toMatchObject({ name: "z", version: 3 });
    await records.removeProduct({ id }, by);
    expect(await reason(records.restoreProduct({ id, ifMatch: '"3"' }, by))).toBe("precondition_failed");
    expect(await records.restoreProduct({ id, ifMatch: '"4"' }, by)).toMatchObject({ version: 5 });
  });

  test("is not in the way of a sale, nor a sale in its way, and puts back nothing that was sold", async () => {
    const by = createCaller();
    const { id, etag } = await product(by, { stock: 5 });
    await records.moveProductStock({ id, by: -2 }, by);
    expect(await refusal(records.updateProduct({ id, ifMatch: etag!, stock: 5 }, by))).toMatchObject({
      reason: "invalid_request",
      fields: { stock: expect.stringContaining("/stock") as string },
    });
    const changed = await records.updateProduct({ id, ifMatch: etag!, name: "Tee" }, by);
    expect(changed).toMatchObject({ name: "Tee", stock: 3, version: 2 });
  });

  test("of the currency comes with a price in it", async () => {
    const by = createCaller();
    const { id } = await product(by);
    expect(await refusal(records.updateProduct({ id, currency: "JPY" }, by))).toMatchObject({
      reason: "invalid_request",
      fields: { currency: expect.stringContaining("priceMinor") as string },
    });
    const { rows } = await records.updateProducts({ rows: [{ id, currency: "JPY" }] }, by);
    expect(rows).toMatchObject([{ status: "failed", reason: "invalid_request" }]);
    expect(await records.getProduct({ id }, by)).toMatchObject({ currency: "EUR", version: 1 });
  });

  test("of nothing is refused, and so is a SKU that another has", async () => {
    const by = createCaller();
    await product(by, { sku: "taken" });
    const { id } = await product(by);
    expect(await reason(records.updateProduct({ id, ifMatch: "*" }, by))).toBe("invalid_request");
    expect(await reason(records.updateProduct({ id, ifMatch: "*", sku: "taken" }, by))).toBe("sku_taken");
    expect(await reason(product(by, { sku: "taken" }))).toBe("sku_taken");
    await product(createCaller(), { sku: "taken" });
  });
});

describe("the stock", () => {
  test("takes and gives, and never more than there is", async () => {
    const by = createCaller();
    const { id } = await product(by, { stock: 5 });
    expect(await records.moveProductStock({ id, by: -3 }, by)).toMatchObject({ stock: 2, version: 1, etag: '"1"' });
    expect(await refusal(records.moveProductStock({ id, by: -3 }, by))).toMatchObject({
      reason: "stock_insufficient",
      stock: "2",
    });
    expect(await records.moveProductStock({ id, by: -2 }, by)).toMatchObject({ stock: 0 });
    expect(await records.moveProductStock({ id, by: 2_147_483_647 }, by)).toMatchObject({ stock: 2_147_483_647 });
    expect(await reason(records.moveProductStock({ id, by: 1 }, by))).toBe("invalid_request");
    expect(await reason(records.moveProductStock({ id, by: 0 }, by))).toBe("invalid_request");
    expect(await reason(records.moveProductStock({ id, by: 0.5 }, by))).toBe("invalid_request");
    expect(await records.getProduct({ id }, by)).toMatchObject({ stock: 2_147_483_647, version: 1 });
  });
});

describe("a deleted product", () => {
  test("is gone from lists, changes for nobody, leaves its SKU to others, and comes back", async () => {
    const by = createCaller();
    const { id, sku } = await product(by);
    expect(await reason(records.restoreProduct({ id }, by))).toBe("product_not_found");
    await records.removeProduct({ id, ifMatch: '"1"' }, by);
    for (const ask of [
      () => records.getProduct({ id }, by),
      () => records.updateProduct({ id, ifMatch: "*", name: "x" }, by),
      () => records.moveProductStock({ id, by: 1 }, by),
      () => records.removeProduct({ id, ifMatch: "*" }, by),
    ])
      expect(await reason(ask())).toBe("product_not_found");
    expect((await records.listProducts({}, by)).items).toEqual([]);
    const { items } = await records.listProducts({ deleted: true }, by);
    expect(items).toMatchObject([{ id, sku, version: 2, deletedAt: expect.any(String) as string }]);
    const other = await product(by, { sku });
    expect(await reason(records.restoreProduct({ id }, by))).toBe("sku_taken");
    await records.removeProduct({ id: other.id, ifMatch: other.etag! }, by);
    const back = await records.restoreProduct({ id }, by);
    expect(back).toMatchObject({ id, sku, version: 3, etag: '"3"' });
    expect(back.deletedAt).toBeUndefined();
  });

  test("comes back into no category that is deleted itself", async () => {
    const by = createCaller();
    const { id: categoryId } = await category(by, "Drinks");
    const { id } = await product(by, { categoryId });
    expect(await reason(records.removeCategory({ id: categoryId, ifMatch: "*" }, by))).toBe("category_in_use");
    await records.removeProduct({ id, ifMatch: "*" }, by);
    await records.removeCategory({ id: categoryId, ifMatch: "*" }, by);
    expect(await refusal(records.restoreProduct({ id }, by))).toMatchObject({ reason: "category_not_found" });
    expect(await reason(product(by, { categoryId }))).toBe("category_not_found");
    await records.restoreCategory({ id: categoryId }, by);
    expect(await records.restoreProduct({ id }, by)).toMatchObject({ categoryId });
  });
});
