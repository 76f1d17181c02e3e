// The rules of orders: placing one begins its saga (order-saga.ts), cancelling one calls it off.
import type { z } from "zod";
import { withTenant } from "../../db/tenant";
import { orderPlaced } from "../../events/catalog/records";
import { emit } from "../../events/outbox";
import { cancelWithin } from "../../sagas/operation";
import { startSaga } from "../../sagas/start-saga";
import type { Principal } from "../../security/principal";
import { refusing, type Kind } from "./changes";
import { errors } from "./errors";
import type { newOrder } from "./input";
import { priceItems, totalOf } from "./order-items";
import { orderSaga } from "./order-saga";
import type { Change } from "./precondition";
import { paymentProvider } from "./providers/chosen";
import { askWithin, type Ask } from "../../db/listing/ask";
import { recordFind, type Target } from "./store/change";
import {
  orderInsert,
  orderRequestCancel,
  orders,
  orderSettings,
  productListOffered,
  type OrderRow,
} from "./store/orders";

export const orderKind: Kind<OrderRow> = {
  resource: orders,
  settings: orderSettings,
  missing: () => errors.order_not_found(),
};

/**
 * Orders at the prices of now; stock and payment follow by the order's saga, which begins with this transaction.
 * @throws APIError payments_not_set_up, and those of priceItems and totalOf
 */
export function placeOrder(principal: Principal, id: string, order: z.infer<typeof newOrder>): Promise<OrderRow> {
  if (paymentProvider() === undefined) throw errors.payments_not_set_up();
  const { tenantId, subjectId: placedBy } = principal;
  const { paymentToken, reference } = order;
  return withTenant(principal, async (tx) => {
    const ask = refusing(askWithin(tx));
    const ids = order.items.map(({ productId }) => productId);
    const offered = await productListOffered(ask, tenantId, ids);
    const items = priceItems(order.items, offered);
    const totalMinor = totalOf(items);
    const currency = offered[0]?.currency ?? "";
    const sagaId = await startSaga(tx, orderSaga, { orderId: id }, { dedupeKey: id });
    const fields = { reference, placedBy, currency, totalMinor, sagaId, paymentToken, items };
    const row = await orderInsert(ask, { tenantId, id }, fields);
    const told = items.map(({ productId, quantity, unitPriceMinor }) => ({ productId, quantity, unitPriceMinor }));
    const about = { aggregateType: "order", aggregateId: id };
    await emit(tx, orderPlaced, { orderId: id, placedBy, currency, totalMinor, items: told }, about);
    return row;
  });
}

/**
 * Calls an order off that is under way: none of its steps is done from now on, and what was done is undone soon.
 * @throws APIError order_ended, precondition_failed
 */
export function cancelOrder(principal: Principal, change: Change): Promise<OrderRow> {
  return withTenant(principal, async (tx) => {
    const ask = askWithin(tx);
    const requested = await orderRequestCancel(ask, change);
    if (requested === undefined) return refuseCancel(ask, change);
    await cancelWithin(tx, principal.tenantId, requested.sagaId);
    return found(ask, change);
  });
}

async function found(ask: Ask, target: Target): Promise<OrderRow> {
  const order = await recordFind(ask, orders, target);
  if (order === undefined) throw errors.order_not_found();
  return order;
}

async function refuseCancel(ask: Ask, change: Change): Promise<never> {
  const { version, state } = await found(ask, change);
  if (change.versions?.includes(version) === false)
    throw errors.precondition_failed({ facts: { version: String(version) } });
  throw errors.order_ended({ facts: { state } });
}
