// Orders as these tests place them, and what drives them on.
import { records } from "~encore/clients";
import { expect } from "vitest";
import { registerSaga, knownSagas } from "../../../sagas/worker";
import type { Caller } from "../../../testing";
import { orderSaga } from "../order-saga";
import "../subscriptions";
import { APPROVED_TOKEN } from "../providers/development-payments";
import type { OrderState } from "../store/orders";
import { asRead } from "./things";

/** Suites share processes, and a saga is registered once in each. */
if (!knownSagas().some(({ name }) => name === orderSaga.name)) registerSaga(orderSaga);

export type Order = Awaited<ReturnType<typeof records.getOrder>>;
type NewOrder = Parameters<typeof records.createOrder>[0];

export const order = async (
  by: Caller,
  quantities: Record<string, number>,
  fields: Partial<NewOrder> = {},
): Promise<Order> =>
  asRead(
    await records.createOrder(
      {
        items: Object.entries(quantities).map(([productId, quantity]) => ({ productId, quantity })),
        paymentToken: APPROVED_TOKEN,
        ...fields,
      },
      by,
    ),
  );

const ENDS: readonly OrderState[] = ["confirmed", "cancelled", "failed"];
const PATIENCE = { timeout: 60_000, interval: 100 };

/** The order, once it has come to an end. */
export async function ended(by: Caller, id: string): Promise<Order> {
  const read = async (): Promise<Order> => records.getOrder({ id }, by);
  await expect.poll(async () => ENDS.includes((await read()).state), PATIENCE).toBe(true);
  return read();
}

export const stockOf = async (by: Caller, id: string): Promise<number> => (await records.getProduct({ id }, by)).stock;
