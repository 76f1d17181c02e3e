// Orders, from placing one to its end; by the endpoints, with sagas and events as they run.
import { records, sagas } from "~encore/clients";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../../db/ids";
import { systemQuery, tenantQuery, withSystem, withTenant } from "../../../db/tenant";
import { listenForCancels } from "../../../sagas/cancel-notice";
import { cancelWithin } from "../../../sagas/operation";
import { startSaga } from "../../../sagas/start-saga";
import { tenantIdFrom } from "../../../security/principal";
import { createCaller, runRelayAndWorkers, type Caller } from "../../../testing";
import { usePayments } from "../providers/chosen";
import { createDevelopmentPayments } from "../providers/development-payments";
import type { PaymentProvider } from "../providers/payments";
import { refusing } from "../changes";
import { orderSaga } from "../order-saga";
import { settleOrder, unsettleOrder } from "../order-steps";
import { askWithin } from "../../../db/listing/ask";
import { orderInsert, orderMove, type OrderState } from "../store/orders";
import { tenantDelete } from "../store/export";
import { purgeDeleted } from "../upkeep";
import { ended, order, stockOf } from "./ordering";
import { balanceOf, ledgerFaults, postedOf } from "./posting";
import { product, reason, refusal } from "./things";

runRelayAndWorkers();
beforeAll(() => listenForCancels());
afterEach(() => usePayments(undefined));

const told = async (orderId: string): Promise<string[]> => {
  const text = "select type from events.outbox where aggregate_type = 'order' and aggregate_id = $1 order by id";
  return (await systemQuery<{ type: string }>("test", text, [orderId])).map(({ type }) => type.split(".").at(-1)!);
};

/** As development's, and tells what it was asked; `charge` may do something else first. */
function watched(before: (key: string, signal: AbortSignal) => Promise<void> = async () => undefined) {
  const asked: string[] = [];
  const payments = createDevelopmentPayments();
  usePayments({
    charge: async (charge, signal) => {
      asked.push(`charge ${charge.amountMinor} ${charge.currency}`);
      await before(charge.key, signal);
      return payments.charge(charge, signal);
    },
    refund: async (refund, signal) => {
      asked.push("refund");
      return payments.refund(refund, signal);
    },
  } satisfies PaymentProvider);
  return asked;
}

/** Charges when it is let go on. */
function held(): { asked: string[]; charging: Promise<void>; goOn: () => void } {
  let [begin, goOn] = [(): void => undefined, (): void => undefined];
  const charging = new Promise<void>((resolve) => (begin = resolve));
  const going = new Promise<void>((resolve) => (goOn = resolve));
  const asked = watched(async () => {
    begin();
    await going;
  });
  return { asked, charging, goOn };
}

describe("an order", () => {
  test("is placed at the prices of now, comes to be confirmed, and has taken what was ordered", async () => {
    const by = createCaller();
    const asked = watched();
    const [tea, cup] = [
      await product(by, { stock: 10, priceMinor: 450 }),
      await product(by, { stock: 3, priceMinor: 99 }),
    ];
    const placed = await order(by, { [cup.id]: 2, [tea.id]: 3 }, { reference: "B-7" });
    expect(placed).toMatchObject({
      ...{ version: 1, etag: '"1"', state: "pending", totalMinor: 1548, currency: "EUR", reference: "B-7" },
      placedBy: by.authData.userID,
      items: [
        { productId: cup.id, sku: cup.sku, name: "Tea", quantity: 2, unitPriceMinor: 99, amountMinor: 198 },
        { productId: tea.id, sku: tea.sku, name: "Tea", quantity: 3, unitPriceMinor: 450, amountMinor: 1350 },
      ],
    });
    await records.updateProduct({ id: tea.id, priceMinor: 1, name: "Other" }, by);
    const confirmed = await ended(by, placed.id);
    expect(confirmed).toMatchObject({ state: "confirmed", version: 4, totalMinor: 1548, items: placed.items });
    expect(confirmed.paymentId).toMatch(/^development-/);
    expect(await postedOf(by, placed.id)).toEqual(["order_payment"]);
    const { items: accounts } = await records.listAccounts({ code: ["starts.orders:"], sort: "code" }, by);
    const [payments, sales] = accounts.map(({ id }) => id);
    expect([await balanceOf(by, payments!), await balanceOf(by, sales!)]).toEqual([{ EUR: 1548 }, { EUR: -1548 }]);
    expect(asked).toEqual(["charge 1548 EUR"]);
    expect([await stockOf(by, tea.id), await stockOf(by, cup.id)]).toEqual([7, 1]);
    expect(await told(placed.id)).toEqual(["placed", "reserved", "paid", "confirmed"]);
    expect((await records.getProduct({ id: cup.id }, by)).version).toBe(1);
  });

  test("that costs nothing is paid by nobody", async () => {
    const by = createCaller();
    const asked = watched();
    const { id } = await product(by, { stock: 1, priceMinor: 0 });
    const { id: orderId } = await order(by, { [id]: 1 });
    const confirmed = await ended(by, orderId);
    expect([confirmed.state, confirmed.paymentId, asked]).toEqual(["confirmed", undefined, []]);
    expect(await postedOf(by, orderId)).toEqual([]);
  });

  test("of more than there is fails, and takes nothing of the rest", async () => {
    const by = createCaller();
    const asked = watched();
    const [much, little] = [await product(by, { stock: 10 }), await product(by, { stock: 1 })];
    const { id } = await order(by, { [much.id]: 5, [little.id]: 2 });
    expect(await ended(by, id)).toMatchObject({ state: "failed", reason: "stock_insufficient" });
    expect([await stockOf(by, much.id), await stockOf(by, little.id)]).toEqual([10, 1]);
    expect([asked, await told(id)]).toEqual([[], ["placed", "failed"]]);
  });

  test("that is not paid gives the stock back, also to what was deleted meanwhile", async () => {
    const by = createCaller();
    const { charging, goOn, asked } = held();
    const [tea, gone] = [await product(by, { stock: 5 }), await product(by, { stock: 5 })];
    const { id } = await order(by, { [tea.id]: 2, [gone.id]: 4 }, { paymentToken: "declined" });
    await charging;
    expect([await stockOf(by, tea.id), await stockOf(by, gone.id)]).toEqual([3, 1]);
    await records.removeProduct({ id: gone.id }, by);
    goOn();
    expect(await ended(by, id)).toMatchObject({ state: "failed", reason: "payment_declined" });
    await records.restoreProduct({ id: gone.id }, by);
    expect([await stockOf(by, tea.id), await stockOf(by, gone.id)]).toEqual([5, 5]);
    expect(asked).toEqual(["charge 2700 EUR", "refund"]);
    expect(await told(id)).toEqual(["placed", "reserved", "failed"]);
  });

  test("whose provider fails for a moment is charged by the same key until it is paid", async () => {
    const by = createCaller();
    const keys: string[] = [];
    watched(async (key) => {
      keys.push(key);
      if (keys.length < 3) throw new Error("the provider is away");
    });
    const { id } = await order(by, { [(await product(by, { stock: 1 })).id]: 1 });
    expect(await ended(by, id)).toMatchObject({ state: "confirmed" });
    expect([keys.length, new Set(keys).size]).toEqual([3, 1]);
  });

  test.each([
    ["an unknown product", async () => ({ [newId()]: 1 }), "product_not_found"],
    [
      "a product of another organisation",
      async () => ({ [(await product(createCaller())).id]: 1 }),
      "product_not_found",
    ],
    ["half of a product", async (by: Caller) => ({ [(await product(by)).id]: 1.5 }), "invalid_request"],
    [
      "products of two currencies",
      async (by: Caller) => ({ [(await product(by)).id]: 1, [(await product(by, { currency: "JPY" })).id]: 1 }),
      "order_currencies_differ",
    ],
    [
      "more than can be counted",
      async (by: Caller) => ({ [(await product(by, { priceMinor: 1_000_000_000_000 })).id]: 10_000 }),
      "order_total_too_large",
    ],
  ])("of %s is refused, and nothing is begun", async (_what, wanted, why) => {
    const by = createCaller();
    expect(await reason(wanted(by).then((items) => order(by, items)))).toBe(why);
    expect((await records.listOrders({}, by)).items).toEqual([]);
    expect((await sagas.listSagas({}, by)).sagas).toEqual([]);
  });

  test("has fifty items at most, and one at least", async () => {
    const by = createCaller();
    const items = (count: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: count }, () => [newId(), 1]));
    for (const count of [0, 51]) await expect(order(by, items(count))).rejects.toThrow(/length too (?:short|long)/);
    expect(await reason(order(by, items(50)))).toBe("product_not_found");
  });
});

describe("cancelling", () => {
  test("while the payment is under way gives back money and stock", async () => {
    const by = createCaller();
    const { charging, asked } = held();
    const { id: productId } = await product(by, { stock: 5 });
    const { id } = await order(by, { [productId]: 2 });
    await charging;
    const { version } = await records.getOrder({ id }, by);
    expect(await reason(records.cancelOrder({ id, ifMatch: '"99"' }, by))).toBe("precondition_failed");
    expect(await records.cancelOrder({ id, ifMatch: `"${version}"` }, by)).toMatchObject({
      state: "reserved",
      cancelRequestedAt: expect.any(String) as string,
    });
    expect(await ended(by, id)).toMatchObject({ state: "cancelled", reason: "canceled" });
    expect([await stockOf(by, productId), asked.at(-1)]).toEqual([5, "refund"]);
    expect(await told(id)).toEqual(["placed", "reserved", "cancelled"]);
    expect(await refusal(records.cancelOrder({ id }, by))).toMatchObject({ reason: "order_ended", state: "cancelled" });
  });

  test("by its saga is the same", async () => {
    const by = createCaller();
    const { charging } = held();
    const { id: productId } = await product(by, { stock: 5 });
    const { id, sagaId } = await order(by, { [productId]: 2 });
    await charging;
    await sagas.cancel({ id: sagaId }, by);
    expect(await ended(by, id)).toMatchObject({ state: "cancelled", reason: "canceled" });
    expect(await stockOf(by, productId)).toBe(5);
  });

  test("before the first step ends it too", async () => {
    const by = createCaller();
    const { id: productId } = await product(by, { stock: 5 });
    // Its saga cannot begin before it is called off.
    const id = await withTenant(by, async (tx) => {
      const orderId = newId();
      const items = [{ productId, sku: "s", name: "n", quantity: 2, unitPriceMinor: 1, amountMinor: 2 }];
      const sagaId = await startSaga(tx, orderSaga, { orderId });
      const money = { currency: "EUR", totalMinor: 2, paymentToken: "t" };
      const fields = { reference: null, placedBy: newId(), ...money, sagaId, items };
      await orderInsert(askWithin(tx), { tenantId: by.tenantId, id: orderId }, fields);
      await cancelWithin(tx, by.tenantId, sagaId);
      return orderId;
    });
    expect(await ended(by, id)).toMatchObject({ state: "cancelled", reason: "canceled" });
    expect([await stockOf(by, productId), await told(id)]).toEqual([5, ["cancelled"]]);
  });

  test("what has come to its end is refused, and so is what is another's", async () => {
    const by = createCaller();
    const { id } = await order(by, { [(await product(by, { stock: 1 })).id]: 1 });
    await ended(by, id);
    expect(await refusal(records.cancelOrder({ id }, by))).toMatchObject({ reason: "order_ended", state: "confirmed" });
    for (const other of [createCaller(), createCaller("owner")])
      expect(await reason(records.cancelOrder({ id }, other))).toBe("order_not_found");
    expect(await reason(records.cancelOrder({ id: "none" }, by))).toBe("order_not_found");
  });
});

test("a payment that is noted and then given back is posted and taken back, by its order alone", async () => {
  const by = createCaller();
  const id = await inState(by, "reserved");
  const place = { tenantId: tenantIdFrom(by.tenantId), id };
  await withTenant(place, (tx) => settleOrder(tx, place, "p-1"));
  const { items } = await records.listTransactions({ orderId: [`eq.${id}`] }, by);
  expect(items).toMatchObject([{ origin: "order_payment", entries: [{ amountMinor: 5 }, { amountMinor: -5 }] }]);
  expect(await reason(records.reverseTransaction({ id: items[0]!.id }, by))).toBe("transaction_of_order");
  await withTenant(place, (tx) => unsettleOrder(tx, place));
  expect(await postedOf(by, id)).toEqual(["order_payment", "order_refund"]);
  expect(await ledgerFaults(by)).toEqual({ unbalanced: 0, torn: 0 });
  const [payments] = items[0]!.entries!;
  expect(await balanceOf(by, payments!.accountId)).toEqual({ EUR: 0 });
});

describe("an order's states", () => {
  const ways: Readonly<Record<OrderState, readonly OrderState[]>> = {
    pending: ["reserved", "cancelled", "failed"],
    reserved: ["paid", "cancelled", "failed"],
    paid: ["confirmed", "cancelled", "failed"],
    confirmed: [],
    cancelled: [],
    failed: [],
  };
  const all = Object.keys(ways) as OrderState[];
  /** How one comes to be in it. */
  const way: Readonly<Record<OrderState, readonly OrderState[]>> = {
    pending: [],
    reserved: ["reserved"],
    paid: ["reserved", "paid"],
    confirmed: ["reserved", "paid", "confirmed"],
    cancelled: ["cancelled"],
    failed: ["failed"],
  };

  test("follow each other one way, whoever writes: every other one is a conflict", async () => {
    const by = createCaller();
    const move = (id: string, to: readonly OrderState[]): Promise<unknown> =>
      withTenant(by, async (tx) => {
        for (const state of to) {
          const why = state === "cancelled" || state === "failed" ? { reason: "test" } : {};
          await orderMove(refusing(askWithin(tx)), { tenantId: by.tenantId, id }, { state, ...why });
        }
        throw new Error("taken back");
      });
    const pending = await inState(by, "pending");
    for (const from of all)
      for (const to of all.filter((state) => state !== from)) {
        const settled = move(pending, [...way[from], to]);
        if (ways[from].includes(to)) await expect(settled).rejects.toThrow("taken back");
        else expect(await reason(settled)).toBe("order_state_conflict");
      }
  });
});

/** An order that no saga drives. */
async function inState(by: Caller, state: OrderState): Promise<string> {
  const id = newId();
  await tenantQuery(
    by,
    `with made as (
       insert into records.sales_order (tenant_id, id, state, placed_by, currency, total_minor, item_count, saga_id, created_at, updated_at)
       values ($1, $2, $3, $2, 'EUR', 5, 1, $2, now(), now()))
     insert into records.order_item (tenant_id, order_id, position, product_id, sku, name, quantity, unit_price_minor) values ($1, $2, 1, $2, 's', 'n', 5, 1)`,
    [by.tenantId, id, state],
  );
  return id;
}

describe("the table", () => {
  test("takes no total that is not that of the items, and no item that changes", async () => {
    const by = createCaller();
    const id = await inState(by, "pending");
    const refused = (text: string): Promise<unknown> => tenantQuery(by, text, [by.tenantId, id]);
    const where = "where tenant_id = $1 and";
    await expect(refused(`update records.sales_order set total_minor = 6 ${where} id = $2`)).rejects.toMatchObject({
      constraint: "order_total_of_items",
    });
    await expect(refused(`update records.order_item set quantity = 6 ${where} order_id = $2`)).rejects.toMatchObject({
      constraint: "order_item_stays",
    });
  });
});

describe("deleting", () => {
  test("takes what has ended, with its items once it is gone for good, and leaves what is under way", async () => {
    const by = createCaller();
    const [open, over] = [await inState(by, "paid"), await inState(by, "confirmed")];
    expect(await reason(records.removeOrder({ id: open }, by))).toBe("order_under_way");
    await records.removeOrder({ id: over, ifMatch: '"1"' }, by);
    expect(await reason(records.getOrder({ id: over }, by))).toBe("order_not_found");
    expect((await records.listOrders({ deleted: true }, by)).items.map(({ id }) => id)).toEqual([over]);
    expect(await records.restoreOrder({ id: over }, by)).toMatchObject({
      state: "confirmed",
      items: [{ quantity: 5 }],
    });
    await records.removeOrder({ id: over }, by);
    await tenantQuery(
      by,
      "update records.sales_order set deleted_at = now() - interval '31 days' where tenant_id = $1 and id = $2",
      [by.tenantId, over],
    );
    await purgeDeleted();
    const left = await tenantQuery<{ id: string }>(
      by,
      "select order_id as id from records.order_item where tenant_id = $1",
      [by.tenantId],
    );
    expect(left).toEqual([{ id: open }]);
    const [orders] = tenantDelete;
    expect(await withSystem("test", (tx) => orders!(tx, by.tenantId, 10))).toBe(1);
    expect((await records.listOrders({}, by)).items).toEqual([]);
  });
});

test("orders are listed, filtered, sorted and called otherwise", async () => {
  const by = createCaller();
  const productId = (await product(by, { stock: 100, priceMinor: 10 })).id;
  const made = [];
  for (const quantity of [3, 1, 2])
    made.push(await order(by, { [productId]: quantity }, { reference: `R-${quantity}` }));
  for (const { id } of made) await ended(by, id);
  const list = async (asked: Parameters<typeof records.listOrders>[0]): Promise<unknown[]> =>
    (await records.listOrders(asked, by)).items.map(({ totalMinor }) => totalMinor);
  expect(await list({ sort: "totalMinor" })).toEqual([10, 20, 30]);
  expect(await list({ sort: "-totalMinor", totalMinor: ["gte.20"] })).toEqual([30, 20]);
  expect(await list({ state: ["eq.confirmed"], reference: ["starts.R-"], sort: "createdAt" })).toEqual([30, 10, 20]);
  expect(await list({ state: ["in.pending,failed"] })).toEqual([]);
  expect(await list({ placedBy: [`eq.${by.authData.userID}`], limit: 1 })).toEqual([20]);
  const { items } = await records.listOrders({ fields: "items", reference: ["eq.R-1"] }, by);
  expect(items).toEqual([{ id: made[1]!.id, version: 4, items: made[1]!.items }]);
  const named = await records.updateOrder({ id: made[0]!.id, ifMatch: '"4"', reference: null }, by);
  expect([named.reference, named.version, named.items]).toEqual([undefined, 5, made[0]!.items]);
});
