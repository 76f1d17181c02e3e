// Budgets that are made while others post, on a server: what is posted is counted when the budget is made or by its event, and never by both.
import { records } from "~encore/clients";
import { expect, test } from "vitest";
import { concurrent, createCaller, runRelayAndWorkers } from "../../../testing";
import "../subscriptions";
import { account, balanceOf, post } from "./posting";

runRelayAndWorkers();

test("each budget that is made in the middle of it has spent what the ledger says", async () => {
  const by = createCaller();
  const [bank, food] = [await account(by), await account(by)];
  const budgets: string[] = [];
  const lanes = await concurrent(16, async (lane) => {
    for (let round = 0; round < 20; round++) {
      if (lane === 0) {
        const fields = { name: `b${round}`, accountId: food.id, currency: "EUR", amountMinor: 1_000 };
        budgets.push((await records.createBudget({ ...fields, period: "year", timeZone: "Europe/Berlin" }, by)).id);
      } else
        await post(by, [
          [bank.id, -1 - lane],
          [food.id, 1 + lane],
        ]);
    }
  });
  expect(lanes.filter(({ status }) => status === "rejected")).toEqual([]);
  const { EUR } = await balanceOf(by, food.id);
  const spent = async (): Promise<number[]> => {
    const { items } = await records.listBudgets({ limit: 100 }, by);
    return [...new Set(items.map(({ current }) => current!.spentMinor))];
  };
  await expect.poll(spent, { timeout: 120_000, interval: 200 }).toEqual([EUR]);
  expect(budgets).toHaveLength(20);
}, 240_000);
