// Orders at the same moment, on a server: what is sold is what there was, and a cancellation stands before an end or behind it.
import { records } from "~encore/clients";
import { beforeAll, describe, expect, test } from "vitest";
import { listenForCancels } from "../../../sagas/cancel-notice";
import { concurrent, createCaller, runRelayAndWorkers } from "../../../testing";
import { ended, order, stockOf, type Order } from "./ordering";
import { ledgerFaults, postedOf } from "./posting";
import { deadlocksSeen, product, reason } from "./things";

runRelayAndWorkers();
beforeAll(() => listenForCancels());

const valuesOf = <T>(settled: PromiseSettledResult<T>[]): T[] =>
  settled.map((result) => {
    if (result.status === "rejected") throw result.reason as Error;
    return result.value;
  });

describe("at the same moment", () => {
  test("sixty-four clients that buy the last hundred get exactly a hundred, of two products in opposite orders", async () => {
    const by = createCaller();
    const [a, b] = [await product(by, { stock: 100 }), await product(by, { stock: 1_000 })];
    const before = await deadlocksSeen();
    // Two each, then one: 192 are wanted.
    const wanted = [
      { [a.id]: 2, [b.id]: 1 },
      { [b.id]: 1, [a.id]: 1 },
    ];
    const lanes = await concurrent(64, async () => {
      const placed: Order[] = [];
      for (const items of wanted) placed.push(await order(by, items));
      return placed;
    });
    const placed = valuesOf(lanes).flat();
    const over: Order[] = [];
    for (const { id } of placed) over.push(await ended(by, id));
    const sold = over.filter(({ state }) => state === "confirmed");
    const countOf = (id: string): number =>
      sold.flatMap(({ items }) => items).reduce((sum, item) => sum + (item.productId === id ? item.quantity : 0), 0);
    expect([countOf(a.id), await stockOf(by, a.id)]).toEqual([100, 0]);
    expect(await stockOf(by, b.id)).toBe(1_000 - sold.length);
    expect(new Set(over.map(({ state, reason: why }) => why ?? state))).toEqual(
      new Set(["confirmed", "stock_insufficient"]),
    );
    expect(await deadlocksSeen()).toBe(before);
  }, 240_000);

  test("what is cancelled while it comes to its end is confirmed with its stock taken, or cancelled with it back", async () => {
    const by = createCaller();
    const { id: productId } = await product(by, { stock: 1_000 });
    const lanes = await concurrent(24, async (at) => {
      const { id } = await order(by, { [productId]: 1 }, at % 4 === 0 ? { paymentToken: "declined" } : {});
      // Some are cancelled before the saga's first step, some behind it: each looks a while longer.
      for (let look = 0; look < 2 * at; look++) await records.getOrder({ id }, by);
      return { id, refused: await reason(records.cancelOrder({ id }, by)) };
    });
    let taken = 0;
    const states = new Set<string>();
    for (const { id, refused } of valuesOf(lanes)) {
      const { state } = await ended(by, id);
      states.add(state);
      expect(refused).toBe(state === "cancelled" ? undefined : "order_ended");
      if (state === "confirmed") taken++;
      const posted = (await postedOf(by, id)).join();
      expect(state === "confirmed" ? ["order_payment"] : ["", "order_payment,order_refund"]).toContain(posted);
    }
    expect(await stockOf(by, productId)).toBe(1_000 - taken);
    expect(await ledgerFaults(by)).toEqual({ unbalanced: 0, torn: 0 });
    expect(states.has("cancelled")).toBe(true);
  }, 120_000);
});
