// The rules of the ledger's transactions. What is posted stays; a mistake is reversed, once, by a transaction that takes each of its entries
// back. What orders post is theirs: a payment is given back by its order's saga alone.
import type { z } from "zod";
import { idFromParts } from "../../db/ids";
import { withTenant, type Tx } from "../../db/tenant";
import { transactionPosted } from "../../events/catalog/records";
import { emit } from "../../events/outbox";
import type { Principal } from "../../security/principal";
import { orderAccounts } from "./accounts";
import { checkBalance, negated } from "./balance";
import { refusing } from "./changes";
import { errors } from "./errors";
import type { newReversal, newTransaction } from "./input";
import { askWithin } from "../../db/listing/ask";
import { recordFind, type Place } from "./store/change";
import { transactionInsert, transactions, type NewTransaction, type TransactionRow } from "./store/transactions";

async function post(tx: Tx, place: Place, transaction: NewTransaction): Promise<TransactionRow> {
  const row = await transactionInsert(refusing(askWithin(tx)), place, transaction);
  const { id: transactionId, origin, bookedAt, entries, orderId, reversesId } = row;
  const links = { ...(orderId === null ? {} : { orderId }), ...(reversesId === null ? {} : { reversesId }) };
  const payload = { transactionId, origin, bookedAt: bookedAt.toISOString(), entries, ...links };
  await emit(tx, transactionPosted, payload, { aggregateType: "transaction", aggregateId: transactionId });
  return row;
}

/** @throws APIError transaction_unbalanced, account_not_found */
export function postTransaction(
  tx: Tx,
  { tenantId, subjectId: postedBy }: Principal,
  id: string,
  { bookedAt, ...transaction }: z.infer<typeof newTransaction>,
): Promise<TransactionRow> {
  checkBalance(transaction.entries);
  const fields = { ...transaction, postedBy, bookedAt: dateOf(bookedAt) };
  return post(tx, { tenantId, id }, { origin: "manual", orderId: null, reversesId: null, ...fields });
}

/** @throws APIError transaction_not_found, transaction_reversed, transaction_of_order */
export function reverseTransaction(
  { tenantId, subjectId: postedBy }: Principal,
  { id, reversesId }: { id: string; reversesId: string },
  { bookedAt, description, reference }: z.infer<typeof newReversal>,
): Promise<TransactionRow> {
  return withTenant({ tenantId }, async (tx) => {
    const found = await recordFind(askWithin(tx), transactions, { tenantId, id: reversesId });
    if (found === undefined) throw errors.transaction_not_found();
    if (found.orderId !== null) throw errors.transaction_of_order();
    if (found.reversedById !== null) throw errors.transaction_reversed();
    const entries = negated(found.entries);
    const fields = { description, reference, postedBy, bookedAt: dateOf(bookedAt), entries };
    return post(tx, { tenantId, id }, { origin: "reversal", orderId: null, reversesId, ...fields });
  });
}

interface PaidOrder {
  id: string;
  placedBy: string;
  currency: string;
  totalMinor: number;
}

/** Its own each, so that none is posted twice. */
const transactionOf = (what: "payment" | "refund", tenantId: string, orderId: string): string =>
  idFromParts("order", tenantId, orderId, what);

/** What was paid for an order; nothing where there was nothing to pay. With the step that notes it, or not at all. */
export async function postPayment(tx: Tx, tenantId: string, order: PaidOrder): Promise<void> {
  const { id: orderId, placedBy: postedBy, currency, totalMinor } = order;
  if (totalMinor === 0) return;
  const { payments, sales } = orderAccounts(tx, tenantId);
  const entries = [
    { accountId: payments, amountMinor: totalMinor, currency },
    { accountId: sales, amountMinor: -totalMinor, currency },
  ];
  const place = { tenantId, id: transactionOf("payment", tenantId, orderId) };
  const fields = { orderId, postedBy, entries, reversesId: null, description: null, reference: null, bookedAt: null };
  await post(tx, place, { origin: "order_payment", ...fields });
}

/** Takes back what postPayment posted; nothing where it posted nothing. */
export async function postRefund(tx: Tx, tenantId: string, orderId: string): Promise<void> {
  const reversesId = transactionOf("payment", tenantId, orderId);
  const paid = await recordFind(askWithin(tx), transactions, { tenantId, id: reversesId });
  if (paid === undefined) return;
  const { postedBy } = paid;
  const place = { tenantId, id: transactionOf("refund", tenantId, orderId) };
  const fields = { orderId, postedBy, reversesId, description: null, reference: null, bookedAt: null };
  await post(tx, place, { origin: "order_refund", ...fields, entries: negated(paid.entries) });
}

const dateOf = (moment: string | null): Date | null => (moment === null ? null : new Date(moment));
