// What the steps of an order do in their transactions: they move it on, and take and give back stock. An order is locked first, so that a
// cancellation stands before a step or behind it, and never in between.
import type { EventDefinition } from "../../events/event";
import { orderCancelled, orderConfirmed, orderFailed, orderPaid, orderReserved } from "../../events/catalog/records";
import { emit } from "../../events/outbox";
import type { Tx } from "../../db/tenant";
import { CANCELED, UnrecoverableStepError } from "../../sagas/definition";
import { refusing } from "./changes";
import { postPayment, postRefund } from "./transactions";
import { askWithin } from "../../db/listing/ask";
import type { Place } from "./store/change";
import {
  orderLock,
  orderLockOfSaga,
  orderMove,
  orderTakeStock,
  type OrderFacts,
  type OrderState,
} from "./store/orders";

const ENDS: readonly OrderState[] = ["confirmed", "cancelled", "failed"];

/** @throws UnrecoverableStepError when it is gone with its organisation, or called off */
async function lock(tx: Tx, place: Place): Promise<void> {
  const order = await orderLock(tx, place);
  if (order === undefined) throw new UnrecoverableStepError("order_gone");
  if (order.isCanceling) throw new UnrecoverableStepError(CANCELED);
}

type OrderEvent = Pick<OrderFacts, "placedBy" | "currency" | "totalMinor"> & { orderId: string };

const eventOf = ({ id: orderId, placedBy, currency, totalMinor }: OrderFacts): OrderEvent => ({
  ...{ orderId, placedBy, currency, totalMinor },
});

const tell = <Payload>(
  tx: Tx,
  event: EventDefinition<string, number, Payload>,
  { id }: OrderFacts,
  payload: Payload,
): Promise<string> => emit(tx, event, payload, { aggregateType: "order", aggregateId: id });

const move = (tx: Tx, place: Place, to: Parameters<typeof orderMove>[2]): Promise<OrderFacts> =>
  orderMove(refusing(askWithin(tx)), place, to);

/** Takes what was ordered off the stock: all of it, or nothing. Resolves with what is to be paid. */
export async function reserveOrder(tx: Tx, place: Place): Promise<{ currency: string; totalMinor: number }> {
  await lock(tx, place);
  if (!(await orderTakeStock(tx, place))) throw new UnrecoverableStepError("stock_insufficient");
  const order = await move(tx, place, { state: "reserved" });
  await tell(tx, orderReserved, order, eventOf(order));
  return { currency: order.currency, totalMinor: order.totalMinor };
}

export async function settleOrder(tx: Tx, place: Place, paymentId: string | undefined): Promise<void> {
  await lock(tx, place);
  const order = await move(tx, place, { state: "paid", paymentId });
  await postPayment(tx, place.tenantId, order);
  await tell(tx, orderPaid, order, { ...eventOf(order), ...(paymentId === undefined ? {} : { paymentId }) });
}

/** The ledger follows: money that is to be given back counts as given back from then on. */
export const unsettleOrder = (tx: Tx, { tenantId, id }: Place): Promise<void> => postRefund(tx, tenantId, id);

export async function confirmOrder(tx: Tx, place: Place): Promise<void> {
  await lock(tx, place);
  const order = await move(tx, place, { state: "confirmed" });
  await tell(tx, orderConfirmed, order, eventOf(order));
}

/**
 * Ends the order whose saga is undone: it is cancelled if somebody called it off, whatever it would have failed of; else it failed.
 * One that has ended stays as it is.
 */
export async function endOrder(tx: Tx, tenantId: string, sagaId: string, reason: string): Promise<void> {
  const found = await orderLockOfSaga(tx, tenantId, sagaId);
  if (found === undefined || ENDS.includes(found.state)) return;
  const isCancelled = found.isCanceling || reason === CANCELED;
  const to = { state: isCancelled ? "cancelled" : "failed", reason } as const;
  const order = await move(tx, { tenantId, id: found.id }, to);
  await tell(tx, isCancelled ? orderCancelled : orderFailed, order, { ...eventOf(order), reason });
}
