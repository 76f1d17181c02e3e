// What items come to: exact in whole numbers, whatever they are, and refused where they cannot be added up.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { reasonOf } from "../../../security/errors";
import { priceItems, totalOf } from "../order-items";
import type { OfferedProduct } from "../store/orders";

const offered = (id: string, priceMinor: number, currency = "EUR"): OfferedProduct => ({
  ...{ id, sku: `sku of ${id}`, name: `name of ${id}`, priceMinor, currency },
});

function reasonWhy(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return reasonOf(error);
  }
  return undefined;
}

describe("a total", () => {
  test("is the exact sum, or refused above what can be counted", () => {
    const item = fc.record({
      quantity: fc.integer({ min: 1, max: 1_000_000 }),
      unitPriceMinor: fc.oneof(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 1_000_000_000_000 })),
    });
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 50 }), (items) => {
        const exact = items.map((one) => BigInt(one.quantity) * BigInt(one.unitPriceMinor)).reduce((a, b) => a + b, 0n);
        if (exact <= BigInt(Number.MAX_SAFE_INTEGER)) expect(BigInt(totalOf(items))).toBe(exact);
        else expect(reasonWhy(() => totalOf(items))).toBe("order_total_too_large");
      }),
      { seed: 4, numRuns: 300 },
    );
    expect(totalOf([{ quantity: 1, unitPriceMinor: Number.MAX_SAFE_INTEGER }])).toBe(Number.MAX_SAFE_INTEGER);
    const oneMore = [
      { quantity: 1, unitPriceMinor: Number.MAX_SAFE_INTEGER },
      { quantity: 1, unitPriceMinor: 1 },
    ];
    expect(reasonWhy(() => totalOf(oneMore))).toBe("order_total_too_large");
  });
});

describe("items", () => {
  const wanted = (...ids: string[]) => ids.map((productId) => ({ productId, quantity: 3 }));

  test("keep the order asked for, at the products' prices", () => {
    expect(priceItems(wanted("b", "a"), [offered("a", 100), offered("b", 7)])).toEqual([
      { productId: "b", sku: "sku of b", name: "name of b", quantity: 3, unitPriceMinor: 7, amountMinor: 21 },
      { productId: "a", sku: "sku of a", name: "name of a", quantity: 3, unitPriceMinor: 100, amountMinor: 300 },
    ]);
  });

  test.each([
    ["a product twice", wanted("a", "a"), [offered("a", 1)], "invalid_request"],
    ["what is no product", wanted("a", "b"), [offered("a", 1)], "product_not_found"],
    ["several currencies", wanted("a", "b"), [offered("a", 1), offered("b", 1, "JPY")], "order_currencies_differ"],
  ])("are refused for %s", (_what, items, products, why) => {
    expect(reasonWhy(() => priceItems(items, products))).toBe(why);
  });
});
