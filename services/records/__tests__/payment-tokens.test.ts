// What a payment is charged with is somebody's money: nothing is left of it anywhere once it was used, or will not be.
import { records, sagas } from "~encore/clients";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { allRows } from "../../../db/__tests__/all-rows";
import { tenantQuery } from "../../../db/tenant";
import { listenForCancels } from "../../../sagas/cancel-notice";
import { UnrecoverableStepError } from "../../../sagas/definition";
import { createCaller, runRelayAndWorkers, type Caller } from "../../../testing";
import { usePayments } from "../providers/chosen";
import { APPROVED_TOKEN, createDevelopmentPayments } from "../providers/development-payments";
import { PaymentDeclinedError } from "../providers/payments";
import { ended, order, type Order } from "./ordering";
import { product } from "./things";

runRelayAndWorkers();
beforeAll(() => listenForCancels());
afterEach(() => usePayments(undefined));

const foundIn = async (token: string): Promise<string[]> =>
  [...(await allRows())].flatMap(([table, rows]) => (rows.some((row) => row.includes(token)) ? [table] : []));

/** Charges what it is let charge, as `charging` says; resolves once it was asked. */
function provider(charging: (token: string) => Promise<void>, refunding: () => Promise<void> = async () => undefined) {
  const development = createDevelopmentPayments();
  const asked: string[] = [];
  usePayments({
    charge: async (charge, signal) => {
      asked.push(charge.token);
      await charging(charge.token);
      return development.charge({ ...charge, token: APPROVED_TOKEN }, signal);
    },
    refund: async (refund, signal) => {
      await refunding();
      return development.refund(refund, signal);
    },
  });
  return asked;
}

const stops = (signal: { goOn?: () => void }): Promise<void> => new Promise((resolve) => (signal.goOn = resolve));

async function place(by: Caller, stock = 1): Promise<{ placed: Order; token: string }> {
  const token = `planted-${crypto.randomUUID()}`;
  const { id } = await product(by, { stock });
  return { placed: await order(by, { [id]: 1 }, { paymentToken: token }), token };
}

describe("the token of a payment", () => {
  test("is found while it waits to be charged, where the order is and nowhere else, and then no more", async () => {
    const by = createCaller();
    const hold: { goOn?: () => void } = {};
    const asked = provider(() => stops(hold));
    const { placed, token } = await place(by);
    await expect.poll(() => asked).toEqual([token]);
    expect(await foundIn(token)).toEqual(["records.sales_order"]);
    hold.goOn?.();
    expect(await ended(by, placed.id)).toMatchObject({ state: "confirmed" });
    expect(await foundIn(token)).toEqual([]);
  });

  test.each([
    ["is declined", () => Promise.reject(new PaymentDeclinedError("test")), 1, "failed"],
    ["is never charged, because too little is in stock", () => Promise.resolve(), 0, "failed"],
  ])("that %s is gone", async (_what, charging, stock, state) => {
    const by = createCaller();
    provider(charging);
    const { placed, token } = await place(by, stock);
    expect(await ended(by, placed.id)).toMatchObject({ state });
    expect(await foundIn(token)).toEqual([]);
  });

  test("whose order is called off while it is charged is gone", async () => {
    const by = createCaller();
    const asked = provider(() => stops({}));
    const { placed, token } = await place(by);
    await expect.poll(() => asked).toEqual([token]);
    await records.cancelOrder({ id: placed.id }, by);
    expect(await ended(by, placed.id)).toMatchObject({ state: "cancelled" });
    expect(await foundIn(token)).toEqual([]);
  });

  test("is gone too where the refund is stuck", async () => {
    const by = createCaller();
    provider(
      () => Promise.reject(new PaymentDeclinedError("test")),
      () => Promise.reject(new UnrecoverableStepError("test")),
    );
    const { placed, token } = await place(by);
    const state = async (): Promise<string> => (await sagas.getSaga({ id: placed.sagaId }, by)).state;
    await expect.poll(state, { timeout: 60_000 }).toBe("stuck");
    expect(await foundIn(token)).toEqual([]);
  });

  test("stays with no order that is past its payment, whoever writes", async () => {
    const by = createCaller();
    provider(() => Promise.resolve());
    const { placed } = await place(by);
    await ended(by, placed.id);
    const text = "update records.sales_order set payment_token = 't' where tenant_id = $1 and id = $2";
    await expect(tenantQuery(by, text, [by.tenantId, placed.id])).rejects.toMatchObject({
      constraint: "order_token_goes",
    });
  });
});
