// The rules of products.
import type { z } from "zod";
import { commonErrors } from "../../security/common-errors";
import { withTenant } from "../../db/tenant";
import type { Principal } from "../../security/principal";
import { patchRecord, refusing, type Kind } from "./changes";
import { errors } from "./errors";
import type { newProduct, productPatch } from "./input";
import type { Change } from "./precondition";
import { askAlone, askWithin, type Ask } from "../../db/listing/ask";
import { recordFind, type Place, type Target } from "./store/change";
import {
  productInsert,
  productLockSkus,
  productMoveStock,
  products,
  productSettings,
  type ProductRow,
} from "./store/products";

export const productKind: Kind<ProductRow> = {
  resource: products,
  settings: productSettings,
  missing: () => errors.product_not_found(),
};

export const createProduct = (ask: Ask, place: Place, product: z.infer<typeof newProduct>): Promise<ProductRow> =>
  productInsert(refusing(ask), place, product);

/** Changes fields of a product; the SKUs' lock comes before the row's where the patch names one. */
export function patchProduct(
  principal: Principal,
  change: Change,
  patch: z.infer<typeof productPatch>,
): Promise<ProductRow> {
  if (patch.sku === undefined) return patchRecord(askAlone(principal), productKind, change, patch);
  return withTenant(principal, (tx) => {
    productLockSkus(tx, principal.tenantId);
    return patchRecord(askWithin(tx), productKind, change, patch);
  });
}

/**
 * Adds to the stock, or takes off it: never more than there is, whoever else takes at the same moment.
 * @throws APIError stock_insufficient with what there is, precondition_failed
 */
export async function moveStock(ask: Ask, place: Target, by: number): Promise<ProductRow> {
  const row = await productMoveStock(ask, place, by);
  if (row !== undefined) return row;
  const product = await recordFind(ask, products, place);
  if (product === undefined) throw errors.product_not_found();
  if (place.versions?.includes(product.version) === false)
    throw errors.precondition_failed({ facts: { version: String(product.version) } });
  if (by > 0) throw commonErrors.invalid_request({ fields: { by: "makes the stock more than can be counted" } });
  throw errors.stock_insufficient({ facts: { stock: String(product.stock) } });
}
