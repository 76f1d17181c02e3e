// Events of the records service.
import { z } from "zod";
import { defineEvent } from "../event";

const amount = { currency: z.string().length(3), totalMinor: z.int().min(0) };
const order = { orderId: z.uuid(), placedBy: z.uuid(), ...amount };

/** Something is ordered; amounts are in the currency's smallest unit. */
export const orderPlaced = defineEvent({
  type: "records.order.placed",
  version: 1,
  payload: z.object({
    ...order,
    items: z.array(z.object({ productId: z.uuid(), quantity: z.int().positive(), unitPriceMinor: z.int().min(0) })),
  }),
});

/** What was ordered is taken from the stock. */
export const orderReserved = defineEvent({ type: "records.order.reserved", version: 1, payload: z.object(order) });

/** The amount is paid. Without `paymentId` there was nothing to pay. */
export const orderPaid = defineEvent({
  type: "records.order.paid",
  version: 1,
  payload: z.object({ ...order, paymentId: z.string().optional() }),
});

export const orderConfirmed = defineEvent({ type: "records.order.confirmed", version: 1, payload: z.object(order) });

const ended = z.object({ ...order, reason: z.string() });

/** Somebody called it off: what was taken of stock and money is given back. */
export const orderCancelled = defineEvent({ type: "records.order.cancelled", version: 1, payload: ended });

/** It could not be had, or not be paid: what was taken of stock and money is given back. */
export const orderFailed = defineEvent({ type: "records.order.failed", version: 1, payload: ended });

const transactionOrigin = z.enum(["manual", "reversal", "order_payment", "order_refund"]);

/** Money moved between accounts: what each gets, or with a minus gives, in the currency's smallest unit; in each currency they come to nought. */
export const transactionPosted = defineEvent({
  type: "records.transaction.posted",
  version: 1,
  payload: z.object({
    transactionId: z.uuid(),
    origin: transactionOrigin,
    /** When it took place. */
    bookedAt: z.iso.datetime(),
    orderId: z.uuid().optional(),
    /** The transaction that it takes back. */
    reversesId: z.uuid().optional(),
    entries: z.array(z.object({ accountId: z.uuid(), amountMinor: z.int(), currency: z.string().length(3) })),
  }),
});

/** So many per cent of a budget's amount are spent in a period; each threshold is told once in each. */
export const budgetExceeded = defineEvent({
  type: "records.budget.exceeded",
  version: 1,
  payload: z.object({
    budgetId: z.uuid(),
    accountId: z.uuid(),
    currency: z.string().length(3),
    amountMinor: z.int().positive(),
    /** At most what JavaScript counts exactly. */
    spentMinor: z.int(),
    /** The highest threshold that is reached. */
    percent: z.int().positive(),
    startsAt: z.iso.datetime(),
    endsAt: z.iso.datetime(),
  }),
});
