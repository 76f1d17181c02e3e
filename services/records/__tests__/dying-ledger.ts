// A process that posts transactions and brings orders to their ends until somebody kills it. Arguments: tenant, member, product, two accounts.
import { writeSync } from "node:fs";
import { newId } from "../../../db/ids";
import { withTenant } from "../../../db/tenant";
import { runSaga } from "../../../sagas/run-saga";
import { subjectIdFrom, tenantIdFrom, type Principal } from "../../../security/principal";
import { cancelOrder, placeOrder } from "../orders";
import { orderSaga } from "../order-saga";
import { APPROVED_TOKEN } from "../providers/development-payments";
import { postTransaction, reverseTransaction } from "../transactions";

const [tenant = "", member = "", productId = "", bank = "", food = ""] = process.argv.slice(2);
const LANES = 4;

const tenantId = tenantIdFrom(tenant);
const principal: Principal = {
  kind: "user",
  subjectId: subjectIdFrom(member),
  tenantId,
  permissions: new Set(["order.write", "ledger.write"]),
};
const posting = { description: null, reference: null, bookedAt: null };

async function order(round: number): Promise<void> {
  const fields = { paymentToken: round % 5 === 4 ? "declined" : APPROVED_TOKEN, reference: null };
  const { id, sagaId } = await placeOrder(principal, newId(), { items: [{ productId, quantity: 1 }], ...fields });
  const run = runSaga(orderSaga, { tenantId, id: sagaId }, new AbortController().signal);
  // At whatever step it is.
  if (round % 3 === 2) await cancelOrder(principal, { tenantId, id, versions: null }).catch(() => undefined);
  await run;
}

async function post(round: number): Promise<void> {
  const amountMinor = 1 + (round % 97);
  const entries = [
    { accountId: bank, amountMinor: -amountMinor, currency: "EUR" },
    { accountId: food, amountMinor, currency: "EUR" },
  ];
  const { id } = await withTenant(principal, (tx) => postTransaction(tx, principal, newId(), { ...posting, entries }));
  if (round % 2 === 1) await reverseTransaction(principal, { id: newId(), reversesId: id }, posting);
}

async function lane(at: number): Promise<never> {
  for (let round = at; ; round++) {
    await (round % 2 === 0 ? order(round / 2) : post(round));
    writeSync(1, ".");
  }
}

await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at)));
