// What an order's items come to: prices of today's products, in whole numbers of one currency. Pure.
import { commonErrors } from "../../security/common-errors";
import { errors } from "./errors";
import type { OfferedProduct, OrderItem } from "./store/orders";

export interface WantedItem {
  productId: string;
  quantity: number;
}

/**
 * The items, at the prices of the products.
 * @throws APIError invalid_request for a product that stands twice, product_not_found, order_currencies_differ
 */
export function priceItems(wanted: readonly WantedItem[], offered: readonly OfferedProduct[]): OrderItem[] {
  const products = new Map(offered.map((product) => [product.id, product]));
  const seen = new Set<string>();
  const priced = wanted.map(({ productId, quantity }, at) => {
    const field = `items.${at}.productId`;
    if (seen.has(productId)) throw commonErrors.invalid_request({ fields: { [field]: "stands in the order twice" } });
    seen.add(productId);
    const product = products.get(productId);
    if (product === undefined) throw errors.product_not_found({ fields: { [field]: "names no product" } });
    const { sku, name, priceMinor } = product;
    return { productId, sku, name, quantity, unitPriceMinor: priceMinor, amountMinor: quantity * priceMinor };
  });
  if (new Set(offered.map(({ currency }) => currency)).size > 1) throw errors.order_currencies_differ();
  return priced;
}

/** @throws APIError order_total_too_large where it can be counted no more */
export function totalOf(items: readonly Pick<OrderItem, "quantity" | "unitPriceMinor">[]): number {
  const total = items.reduce(
    (sum, { quantity, unitPriceMinor }) => sum + BigInt(quantity) * BigInt(unitPriceMinor),
    0n,
  );
  if (total > BigInt(Number.MAX_SAFE_INTEGER)) throw errors.order_total_too_large();
  return Number(total);
}
