// How an order comes to its end: its stock is reserved, its amount paid, and then it is confirmed; or all of that is undone, the last first,
// and the order cancelled or failed upon the event that says so (subscriptions.ts): also where a saga is undone before its first step.
//   reserve   pending → reserved, stock taken   ↩ stock given back
//   pay       the provider charges              ↩ the provider refunds, also when nobody knows whether it charged
//   settle    reserved → paid, and so posted      ↩ posted that it is given back
//   confirm   paid → confirmed
import { z } from "zod";
import { defineSaga, UnrecoverableStepError, type StepContext } from "../../sagas/definition";
import { confirmOrder, reserveOrder, settleOrder, unsettleOrder } from "./order-steps";
import { paymentProvider } from "./providers/chosen";
import { PaymentDeclinedError, type PaymentProvider } from "./providers/payments";
import { askAlone } from "../../db/listing/ask";
import type { Place } from "./store/change";
import { orderForgetPaymentToken, orderGiveStock, orderPaymentToken } from "./store/orders";

/** Kept for long, and shown: what the payment is charged with stands in the order, until it was. */
const input = z.object({ orderId: z.uuid() });
type Input = z.infer<typeof input>;

const placeOf = ({ tenantId, input: { orderId } }: StepContext<Input>): Place => ({ tenantId, id: orderId });

function provider(): PaymentProvider {
  const found = paymentProvider();
  if (found === undefined) throw new Error("this process has no payment provider");
  return found;
}

/** What an order that costs nothing was paid with. */
const nothingPaid: { paymentId?: string } = {};

export const orderSaga = defineSaga({ name: "records:order", version: 1, input })
  .step("reserve", {
    run: (tx, ctx) => reserveOrder(tx, placeOf(ctx)),
    undo: (tx, ctx) => orderGiveStock(tx, placeOf(ctx)),
  })
  .call("pay", {
    run: async (ctx): Promise<{ paymentId?: string }> => {
      const { currency, totalMinor } = ctx.results.reserve;
      if (totalMinor === 0) return nothingPaid;
      const token = await orderPaymentToken(askAlone(ctx), placeOf(ctx));
      if (token === undefined) throw new UnrecoverableStepError("order_gone");
      const charge = { key: ctx.key, orderId: ctx.input.orderId, token, currency, amountMinor: totalMinor };
      return provider().charge(charge, ctx.signal).catch(declined);
    },
    undo: async (ctx) => {
      // First: a refund may fail for long.
      await orderForgetPaymentToken(askAlone(ctx), placeOf(ctx));
      const refund = { key: ctx.key, chargeKey: ctx.stepKey };
      if (ctx.results.reserve.totalMinor > 0) await provider().refund(refund, ctx.signal);
    },
    timeoutMs: 20_000,
  })
  .step("settle", {
    run: (tx, ctx) => settleOrder(tx, placeOf(ctx), ctx.results.pay.paymentId),
    undo: (tx, ctx) => unsettleOrder(tx, placeOf(ctx)),
  })
  .step("confirm", { run: (tx, ctx) => confirmOrder(tx, placeOf(ctx)), undo: "nothing" });

function declined(error: unknown): never {
  if (error instanceof PaymentDeclinedError) throw new UnrecoverableStepError("payment_declined", { cause: error });
  throw error;
}
