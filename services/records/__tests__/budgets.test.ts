// Budgets count what is spent by the ledger's events, once each, in the periods of their zone's calendar, and tell of their thresholds.
import { records } from "~encore/clients";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { systemQuery, tenantQuery, withTenant } from "../../../db/tenant";
import { createCaller, runRelayAndWorkers, type Caller } from "../../../testing";
import { tenantIdFrom } from "../../../security/principal";
import { reachedOf, countTransaction } from "../budgets";
import "../subscriptions";
import { purgeTenant } from "../tenant-purge";
import { purgeDeleted } from "../upkeep";
import { account, post, type Transaction } from "./posting";
import { asRead, reason, refusal } from "./things";

runRelayAndWorkers();

type Budget = Awaited<ReturnType<typeof records.getBudget>>;
type NewBudget = Parameters<typeof records.createBudget>[0];

interface World {
  by: Caller;
  bank: string;
  food: string;
  budget: (fields?: Partial<NewBudget>) => Promise<Budget>;
  spend: (amountMinor: number, bookedAt?: string) => Promise<Transaction>;
}

async function world(): Promise<World> {
  const by = createCaller();
  const [bank, food] = [(await account(by)).id, (await account(by, { kind: "expense" })).id];
  const usual = {
    name: "Food",
    accountId: food,
    currency: "EUR",
    amountMinor: 1_000,
    period: "month",
    timeZone: "UTC",
  } as const;
  return {
    ...{ by, bank, food },
    budget: async (fields = {}) => asRead(await records.createBudget({ ...usual, ...fields }, by)),
    spend: (amountMinor, bookedAt) =>
      post(
        by,
        [
          [bank, -amountMinor],
          [food, amountMinor],
        ],
        bookedAt === undefined ? {} : { bookedAt },
      ),
  };
}

const spentOf = async ({ by }: World, id: string): Promise<number> =>
  (await records.getBudget({ id }, by)).current.spentMinor;

/** All that was posted is counted. */
const counted = async ({ by }: World): Promise<void> => {
  const text = `select count(*)::int as left from events.outbox e where e.tenant_id = $1 and e.type = 'records.transaction.posted'
    and not exists (select 1 from events.inbox i where i.consumer = 'records-budgets' and i.event_id = e.id and i.processed_at is not null)`;
  const left = async (): Promise<number | undefined> =>
    (await systemQuery<{ left: number }>("test", text, [by.tenantId]))[0]?.left;
  await expect.poll(left, { timeout: 60_000, interval: 50 }).toBe(0);
};

const told = async ({ by }: World, id: string): Promise<unknown[]> => {
  const text =
    "select payload from events.outbox where tenant_id = $1 and type = 'records.budget.exceeded' and aggregate_id = $2 order by position";
  const rows = await systemQuery<{ payload: { percent: number; spentMinor: number } }>("test", text, [by.tenantId, id]);
  return rows.map(({ payload: { percent, spentMinor } }) => [percent, spentMinor]);
};

describe("what is spent", () => {
  test("is what the account got in the period of now, and falls where it is given back", async () => {
    const it = await world();
    const made = await it.budget();
    expect(made).toMatchObject({ version: 1, thresholds: [100], current: { spentMinor: 0 }, etag: '"1"' });
    const first = await it.spend(300);
    await it.spend(50);
    await it.spend(40, "2020-05-05");
    await post(it.by, [
      [it.food, 7, "JPY"],
      [it.bank, -7, "JPY"],
    ]);
    await counted(it);
    expect(await spentOf(it, made.id)).toBe(350);
    await records.reverseTransaction({ id: first.id }, it.by);
    await counted(it);
    const now = await records.getBudget({ id: made.id, include: "periods" }, it.by);
    expect(now).toMatchObject({ version: 1, current: { spentMinor: 50 } });
    expect(now.periods).toEqual([now.current]);
  });

  test("is counted once, whether it was posted before the budget was made or its event comes later, and however often", async () => {
    const it = await world();
    await it.spend(300);
    // The event of this one may be counted before the budget is made, or behind it.
    const last = await it.spend(20);
    const { id } = await it.budget();
    expect(await spentOf(it, id)).toBe(320);
    await it.spend(1);
    await counted(it);
    expect(await spentOf(it, id)).toBe(321);
    // What was counted when the budget was made is its no more, even past the inbox.
    const tenantId = tenantIdFrom(it.by.tenantId);
    await withTenant({ tenantId }, (tx) => countTransaction(tx, tenantId, last.id));
    expect(await spentOf(it, id)).toBe(321);
  });

  test("is of the period in which it was booked, by the calendar of the zone", async () => {
    const zones = { "Pacific/Auckland": "month", "America/New_York": "quarter", "Europe/Berlin": "year" } as const;
    for (const [zone, period] of Object.entries(zones)) {
      const it = await world();
      const made = await it.budget({ timeZone: zone, period });
      const { startsAt, endsAt } = made.current;
      const local = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
      for (const moment of [startsAt, endsAt])
        expect(local.format(new Date(moment))).toMatch(/^01\/\d\d\/\d{4}, 00:00:00$/);
      const before = (moment: string): string => new Date(Date.parse(moment) - 1).toISOString();
      const moments = [startsAt, before(endsAt), before(startsAt), endsAt];
      for (const [at, moment] of moments.entries()) await it.spend(2 ** at, moment);
      await counted(it);
      const { periods } = await records.getBudget({ id: made.id, include: "periods" }, it.by);
      // What is before the first one is not counted.
      expect(periods?.map((one) => [one.startsAt, one.spentMinor])).toEqual([
        [endsAt, 8],
        [startsAt, 3],
      ]);
    }
  });
});

describe("a threshold", () => {
  test("is told once a period, by the highest that is reached", async () => {
    const it = await world();
    const { id } = await it.budget({ thresholds: [50, 80, 100] });
    for (const amount of [499, 1, 1, 400, 98]) {
      await it.spend(amount);
      await counted(it);
    }
    expect(await told(it, id)).toEqual([
      [50, 500],
      [80, 901],
    ]);
    const last = await it.spend(1);
    await counted(it);
    await records.reverseTransaction({ id: last.id }, it.by);
    await it.spend(5_000);
    await counted(it);
    expect(await told(it, id)).toEqual([
      [50, 500],
      [80, 901],
      [100, 1_000],
    ]);
  });

  test("that is reached when the budget is made, or by a change of it, is told then", async () => {
    const it = await world();
    await it.spend(600);
    const { id } = await it.budget({ thresholds: [50, 100] });
    expect(await told(it, id)).toEqual([[50, 600]]);
    expect(await records.updateBudget({ id, amountMinor: 600, ifMatch: '"1"' }, it.by)).toMatchObject({ version: 2 });
    expect(await told(it, id)).toEqual([
      [50, 600],
      [100, 600],
    ]);
  });

  test("is reached where nothing between it and what was told is left out", () => {
    const percent = fc.integer({ min: -1, max: 1_000 });
    const thresholds = fc.uniqueArray(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(thresholds, percent, fc.nat(1_000), (all, spent, toldPercent) => {
        const reached = reachedOf({ thresholds: all, percent: spent, toldPercent });
        const due = all.filter((threshold) => threshold > toldPercent && threshold <= spent);
        expect(reached).toBe(due.length === 0 ? undefined : Math.max(...due));
      }),
    );
  });
});

describe("a budget", () => {
  test.each([
    ["no zone", { timeZone: "Mars/Olympus" }, "timeZone"],
    ["an offset", { timeZone: "+01:00" }, "timeZone"],
    ["no currency", { currency: "ZZZ" }, "currency"],
    ["a threshold twice", { thresholds: [50, 50] }, "thresholds"],
    ["half a per cent", { thresholds: [0.5] }, "thresholds.0"],
  ])("of %s is refused by the field's name", async (_what, fields, field) => {
    const it = await world();
    expect(await refusal(it.budget(fields))).toMatchObject({ fields: { [field]: expect.any(String) as string } });
    expect((await records.listBudgets({}, it.by)).items).toEqual([]);
  });

  test("is of a living account of the organisation, which stays for it, and one of a hundred", async () => {
    const it = await world();
    const [foreign] = await Promise.all([world()]);
    expect(await reason(it.budget({ accountId: foreign.food }))).toBe("account_not_found");
    const { id } = await it.budget();
    expect(await reason(records.removeAccount({ id: it.food }, it.by))).toBe("account_in_use");
    expect(await reason(records.getBudget({ id }, foreign.by))).toBe("expense_budget_not_found");
    await tenantQuery(
      it.by,
      `insert into records.budget (tenant_id, id, name, account_id, currency, amount_minor, period, zone, thresholds, starts_at, counted_to, created_at, updated_at)
       select tenant_id, gen_random_uuid(), name, account_id, currency, amount_minor, period, zone, thresholds, starts_at, counted_to, created_at, updated_at
         from records.budget, generate_series(1, 99) where tenant_id = $1`,
      [it.by.tenantId],
    );
    expect(await refusal(it.budget())).toMatchObject({ reason: "budgets_too_many", max: "100" });
  });

  test("is counted on while it is deleted, tells nothing, and goes for good after thirty days or with its organisation", async () => {
    const it = await world();
    const [one, other] = [await it.budget(), await it.budget({ name: "Other" })];
    await records.removeBudget({ id: one.id }, it.by);
    await it.spend(2_000);
    await counted(it);
    expect([await told(it, one.id), await told(it, other.id)]).toEqual([[], [[100, 2_000]]]);
    await records.restoreBudget({ id: one.id }, it.by);
    expect(await spentOf(it, one.id)).toBe(2_000);
    await records.removeBudget({ id: one.id }, it.by);
    const old = "update records.budget set deleted_at = now() - interval '31 days' where tenant_id = $1 and id = $2";
    await tenantQuery(it.by, old, [it.by.tenantId, one.id]);
    await purgeDeleted();
    const left = "select budget_id as id from records.budget_period where tenant_id = $1";
    expect(await tenantQuery(it.by, left, [it.by.tenantId])).toEqual([{ id: other.id }]);
    expect(await purgeTenant(it.by.tenantId)).toBe(true);
    expect(await tenantQuery(it.by, left, [it.by.tenantId])).toEqual([]);
  });
});

test("budgets are listed, filtered and sorted", async () => {
  const it = await world();
  const made = [await it.budget({ name: "B" }), await it.budget({ name: "A" })];
  const list = async (req: Parameters<typeof records.listBudgets>[0]): Promise<string[]> =>
    (await records.listBudgets(req, it.by)).items.map(({ id }) => id);
  expect(await list({ sort: "name" })).toEqual([made[1]!.id, made[0]!.id]);
  expect(await list({ name: ["eq.A"], accountId: [`eq.${it.food}`] })).toEqual([made[1]!.id]);
  const { items } = await records.listBudgets({ fields: "current", name: ["eq.B"], include: "periods" }, it.by);
  expect(items).toEqual([{ id: made[0]!.id, version: 1, current: made[0]!.current, periods: [] }]);
});
