// Budgets count what is spent by the ledger's events, once each, in the periods of their zone's calendar, and tell of their thresholds.
import { records } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { newId } from "../../../db/ids";
import { askAlone } from "../../../db/listing/ask";
import { systemQuery, tenantQuery, withSystem, withTenant } from "../../../db/tenant";
import { createCaller, runRelayAndWorkers, type Caller } from "../../../testing";
import { tenantIdFrom } from "../../../security/principal";
import { countTransaction, createBudget } from "../budgets";
import "../subscriptions";
import { purgeTenant } from "../tenant-purge";
import { transactionInsert } from "../store/transactions";
import { budgetPurge } from "../store/upkeep";
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

describe("what was booked", () => {
  const bookedLong = async ({ by, bank, food }: World, bookedAt: string): Promise<string> => {
    const { tenantId } = by.principal;
    const id = newId();
    const entries = [
      { accountId: bank, amountMinor: -2_000, currency: "EUR" },
      { accountId: food, amountMinor: 2_000, currency: "EUR" },
    ];
    const rest = {
      orderId: null,
      reversesId: null,
      description: null,
      reference: null,
      postedBy: by.principal.subjectId,
    };
    const row = { ...rest, origin: "manual", bookedAt: new Date(bookedAt), entries } as const;
    await transactionInsert(askAlone({ tenantId }), { tenantId, id }, row);
    return id;
  };

  test("in the last year that there may be is told, in whatever zone", async () => {
    const it = await world();
    const made = [await it.budget({ timeZone: "Pacific/Kiritimati", period: "year" }), await it.budget()];
    await it.spend(2_000, "9000-01-01");
    await counted(it);
    for (const { id } of made) expect(await told(it, id)).toEqual([[100, 2_000]]);
  });

  test("past it, as could once be, is counted, tells nothing, and stands in no budget's or list's way", async () => {
    const it = await world();
    const before = await it.budget();
    const late = await bookedLong(it, "9999-12-31T12:00:00Z");
    const early = await bookedLong(it, "0000-01-01");
    const { tenantId } = it.by.principal;
    await withTenant({ tenantId }, (tx) => countTransaction(tx, tenantId, late));
    const behind = await it.budget();
    await records.updateBudget({ id: behind.id, amountMinor: 5 }, it.by);
    for (const { id } of [before, behind]) {
      expect((await records.getBudget({ id, include: "periods" }, it.by)).periods).toMatchObject([
        { spentMinor: 2_000 },
      ]);
      expect(await told(it, id)).toEqual([]);
    }
    await it.spend(1);
    for (const sort of ["bookedAt", "-bookedAt"]) {
      const ids: string[] = [];
      for (let cursor: string | undefined, isMore = true; isMore; isMore = cursor !== undefined) {
        const page = await records.listTransactions(
          { sort, limit: 1, ...(cursor === undefined ? {} : { cursor }) },
          it.by,
        );
        ids.push(...page.items.map(({ id }) => id));
        cursor = page.next;
      }
      expect([ids.length, ids.at(sort === "bookedAt" ? 0 : -1), ids.at(sort === "bookedAt" ? -1 : 0)]).toEqual([
        3,
        early,
        late,
      ]);
    }
  });

  test("before a budget's first period, or in another currency, is not its when it is made", async () => {
    const it = await world();
    await it.spend(40, "2020-05-05");
    await post(it.by, [
      [it.food, 7, "JPY"],
      [it.bank, -7, "JPY"],
    ]);
    const { id } = await it.budget();
    expect((await records.getBudget({ id, include: "periods" }, it.by)).periods).toEqual([]);
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

  test("is reached to the last unit, of amounts that no number of JavaScript's has digits for", async () => {
    const it = await world();
    const amountMinor = Number.MAX_SAFE_INTEGER;
    const { id } = await it.budget({ amountMinor, thresholds: [100, 200] });
    await it.spend(amountMinor - 1);
    await counted(it);
    expect(await told(it, id)).toEqual([]);
    await it.spend(1);
    await counted(it);
    expect(await told(it, id)).toEqual([[100, amountMinor]]);
  });

  test("is told of the period that was posted in, whatever other periods there are and what they spent", async () => {
    const it = await world();
    const ids: string[] = [];
    for (let n = 0; n < 100; n++) ids.push((await it.budget({ name: `b${n}` })).id);
    // A threshold that is not reached, and one that was not told, as of before the budget was changed.
    for (const [first, months, spent] of [
      ["2020-01-01", 11, 500],
      ["2018-01-01", 3, 5_000],
    ] as const)
      await systemQuery(
        "test",
        `insert into records.budget_period (tenant_id, budget_id, starts_at, ends_at, spent_minor)
         select tenant_id, id, $2::timestamptz + m * interval '1 month', $2::timestamptz + (m + 1) * interval '1 month', $4
           from records.budget, generate_series(0, $3 - 1) m where tenant_id = $1`,
        [it.by.tenantId, first, months, spent],
      );
    await it.spend(1_500);
    await counted(it);
    for (const id of ids) expect(await told(it, id)).toEqual([[100, 1_500]]);
    const touched = "select count(*)::int as n from records.budget_period where tenant_id = $1 and told_percent > 0";
    expect(await tenantQuery(it.by, touched, [it.by.tenantId])).toEqual([{ n: 100 }]);
  });

  test("that is reached when the budget comes back, or by a lower amount, is told of the period of now alone", async () => {
    const it = await world();
    const { id } = await it.budget({ thresholds: [100] });
    await systemQuery(
      "test",
      `insert into records.budget_period (tenant_id, budget_id, starts_at, ends_at, spent_minor)
       select tenant_id, id, '2020-01-01Z'::timestamptz + m * interval '1 month', '2020-02-01Z'::timestamptz + m * interval '1 month', 900
         from records.budget, generate_series(0, 23) m where tenant_id = $1`,
      [it.by.tenantId],
    );
    await it.spend(900);
    await counted(it);
    await records.updateBudget({ id, amountMinor: 900 }, it.by);
    expect(await told(it, id)).toEqual([[100, 900]]);
    const other = await it.budget({ name: "Other", thresholds: [200] });
    await records.removeBudget({ id: other.id }, it.by);
    await it.spend(1_100);
    await counted(it);
    expect(await told(it, other.id)).toEqual([]);
    await records.restoreBudget({ id: other.id }, it.by);
    expect(await told(it, other.id)).toEqual([[200, 2_000]]);
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
    const gone = await account(it.by);
    await records.removeAccount({ id: gone.id }, it.by);
    expect(await reason(it.budget({ accountId: gone.id }))).toBe("account_not_found");
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
    // A budget goes with its periods at once: nobody restores one that lacks some.
    expect(await withSystem("purge-deleted-records", (tx) => budgetPurge(tx, 30, 1))).toBe(1);
    expect(await reason(records.restoreBudget({ id: one.id }, it.by))).toBe("expense_budget_not_found");
    const left = "select budget_id as id from records.budget_period where tenant_id = $1";
    expect(await tenantQuery(it.by, left, [it.by.tenantId])).toEqual([{ id: other.id }]);
    expect(await purgeTenant(it.by.tenantId)).toBe(true);
    expect(await tenantQuery(it.by, left, [it.by.tenantId])).toEqual([]);
  });
});

test("a zone that this runtime knows and the database does not is refused by its field", async () => {
  const it = await world();
  const fields = { name: "b", accountId: it.food, currency: "EUR", amountMinor: 1, thresholds: [1] };
  const made = createBudget(it.by.principal, newId(), { ...fields, period: "month", timeZone: "Mars/Olympus" });
  expect(await refusal(made)).toMatchObject({
    reason: "invalid_request",
    fields: { timeZone: expect.any(String) as string },
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
