// The ledger: double entry, whoever writes, and nothing that is taken back.
import { records } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { newId } from "../../../db/ids";
import { systemQuery, tenantQuery, withTenant } from "../../../db/tenant";
import { createCaller, type Caller } from "../../../testing";
import { negated } from "../balance";
import { askWithin } from "../../../db/listing/ask";
import { transactionInsert } from "../store/transactions";
import { purgeTenant } from "../tenant-purge";
import { purgeDeleted } from "../upkeep";
import { account, balanceOf, ledgerFaults, post } from "./posting";
import { reason, refusal } from "./things";

const told = async (transactionId: string): Promise<unknown> => {
  const text = "select type, payload from events.outbox where aggregate_type = 'transaction' and aggregate_id = $1";
  return systemQuery("test", text, [transactionId]);
};

const pair = async (by: Caller) => [await account(by), await account(by, { kind: "expense" })] as const;

describe("a transaction", () => {
  test("moves amounts between accounts, of several currencies at once, and is told", async () => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const posted = await post(
      by,
      [
        [bank.id, -1_250],
        [food.id, 1_250],
        [bank.id, 7, "JPY"],
        [food.id, -7, "JPY"],
      ],
      { description: "Lunch\nwith tea", reference: "L-1", bookedAt: "2026-03-01T12:00:00+01:00" },
    );
    expect(posted).toMatchObject({
      ...{ origin: "manual", description: "Lunch\nwith tea", reference: "L-1", postedBy: by.authData.userID },
      bookedAt: "2026-03-01T11:00:00.000Z",
      entries: [
        { accountId: bank.id, amountMinor: -1_250, currency: "EUR" },
        { accountId: food.id, amountMinor: 1_250, currency: "EUR" },
        { accountId: bank.id, amountMinor: 7, currency: "JPY" },
        { accountId: food.id, amountMinor: -7, currency: "JPY" },
      ],
    });
    expect(await records.getTransaction({ id: posted.id }, by)).toEqual(posted);
    const { accounts } = await records.getTransaction({ id: posted.id, include: "accounts" }, by);
    expect(accounts?.map(({ id }) => id)).toEqual([bank.id, food.id]);
    expect(await balanceOf(by, bank.id)).toEqual({ EUR: -1_250, JPY: 7 });
    const { id: transactionId, origin, bookedAt, entries } = posted;
    expect(await told(transactionId)).toEqual([
      { type: "records.transaction.posted", payload: { transactionId, origin, bookedAt, entries } },
    ]);
  });

  test("that does not come to nought in each currency is refused, with what is off", async () => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const max = Number.MAX_SAFE_INTEGER;
    const off: [Parameters<typeof post>[1], string, string][] = [
      [
        [
          [bank.id, 1],
          [food.id, -2],
        ],
        "EUR",
        "-1",
      ],
      [
        [
          [bank.id, 1],
          [food.id, -1, "JPY"],
        ],
        "EUR",
        "1",
      ],
      // As numbers they would come to nought.
      [
        [
          [bank.id, max],
          [bank.id, max],
          [bank.id, 1],
          [food.id, -max],
          [food.id, -max],
        ],
        "EUR",
        "1",
      ],
    ];
    for (const [amounts, currency, differenceMinor] of off)
      expect(await refusal(post(by, amounts))).toMatchObject({
        ...{ reason: "transaction_unbalanced", currency, differenceMinor },
      });
    expect((await records.listTransactions({}, by)).items).toEqual([]);
  });

  test.each([
    ["one entry", (a: string) => [[a, 1] as const], /length too short/],
    ["nought", (a: string, b: string) => [[a, 0] as const, [b, 0] as const], undefined],
    ["half a cent", (a: string, b: string) => [[a, 0.5] as const, [b, -0.5] as const], undefined],
    ["no currency", (a: string, b: string) => [[a, 1, "ZZZ"] as const, [b, -1, "ZZZ"] as const], undefined],
  ])("of %s is refused", async (_what, amounts, length) => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const posting = post(by, amounts(bank.id, food.id));
    if (length === undefined) expect(await reason(posting)).toBe("invalid_request");
    else await expect(posting).rejects.toThrow(length);
  });

  test("takes no moment that is none, and no account of nobody's, another's or that is deleted", async () => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const gone = await account(by);
    await records.removeAccount({ id: gone.id }, by);
    const [foreign] = await pair(createCaller("owner"));
    for (const id of [newId(), foreign.id, gone.id])
      expect(
        await reason(
          post(by, [
            [bank.id, 1],
            [id, -1],
          ]),
        ),
      ).toBe("account_not_found");
    for (const bookedAt of ["yesterday", "2026-02-30", "2026-01-01T12:00:00", "9000-01-02", "0000-01-01"])
      expect(
        await refusal(
          post(
            by,
            [
              [bank.id, 1],
              [food.id, -1],
            ],
            { bookedAt },
          ),
        ),
      ).toMatchObject({
        fields: { bookedAt: expect.any(String) as string },
      });
    expect((await records.listTransactions({}, by)).items).toEqual([]);
  });

  test("is reversed once, by one that takes each entry back and may be reversed itself", async () => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const posted = await post(by, [
      [bank.id, -5],
      [food.id, 5],
    ]);
    const reversal = await records.reverseTransaction({ id: posted.id, description: "Typo" }, by);
    expect(reversal).toMatchObject({ origin: "reversal", reversesId: posted.id, description: "Typo" });
    expect(reversal.entries).toEqual(negated(posted.entries));
    expect((await records.getTransaction({ id: posted.id }, by)).reversedById).toBe(reversal.id);
    expect(await reason(records.reverseTransaction({ id: posted.id }, by))).toBe("transaction_reversed");
    await records.reverseTransaction({ id: reversal.id }, by);
    expect(await balanceOf(by, bank.id)).toEqual({ EUR: -5 });
    for (const [id, who] of [
      [newId(), by],
      [posted.id, createCaller("owner")],
      ["none", by],
    ] as const)
      expect(await reason(records.reverseTransaction({ id }, who))).toBe("transaction_not_found");
  });
});

describe("the tables", () => {
  const insertEntry = `insert into records.ledger_entry (tenant_id, transaction_id, position, account_id, amount_minor, currency, booked_at)
    select $1, $2, p.position, $3, p.amount, 'EUR', t.booked_at from records.ledger_transaction t, unnest($4::int[], $5::bigint[]) as p (position, amount)
     where t.tenant_id = $1 and t.id = $2`;

  test("take no entry that comes later, also where all together come to nought", async () => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const { id } = await post(by, [
      [bank.id, -5],
      [food.id, 5],
    ]);
    const later = (amounts: number[]): Promise<unknown> =>
      tenantQuery(by, insertEntry, [by.tenantId, id, bank.id, amounts.map((_, at) => at + 3), amounts]);
    await expect(later([1])).rejects.toMatchObject({ constraint: "transaction_balances" });
    await expect(later([1, -1])).rejects.toMatchObject({ constraint: "transaction_is_whole" });
    expect(await ledgerFaults(by)).toEqual({ unbalanced: 0, torn: 0 });
  });

  test.each([
    ["does not come to nought", [-5, 4], "transaction_balances"],
    ["has an amount of nothing", [0, 0], "ledger_entry_amount_minor_check"],
  ])("take no transaction that %s, whoever writes", async (_what, [first = 0, second = 0], constraint) => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const insert = withTenant(by, (tx) => {
      const fields = { orderId: null, reversesId: null, description: null, reference: null, bookedAt: null };
      const entries = [
        { accountId: bank.id, amountMinor: first, currency: "EUR" },
        { accountId: food.id, amountMinor: second, currency: "EUR" },
      ];
      const place = { tenantId: by.tenantId, id: newId() };
      return transactionInsert(askWithin(tx), place, { origin: "manual", ...fields, postedBy: newId(), entries });
    });
    await expect(insert).rejects.toMatchObject({ constraint });
  });

  test.each([
    "update records.ledger_transaction set description = 'other' where tenant_id = $1",
    "update records.ledger_entry set amount_minor = amount_minor * 2 where tenant_id = $1",
    "delete from records.ledger_entry where tenant_id = $1",
    "delete from records.ledger_transaction where tenant_id = $1",
  ])("refuse: %s", async (statement) => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const posted = await post(by, [
      [bank.id, -5],
      [food.id, 5],
    ]);
    await expect(tenantQuery(by, statement, [by.tenantId])).rejects.toMatchObject({ kind: "insufficient_privilege" });
    expect(await records.getTransaction({ id: posted.id }, by)).toEqual(posted);
  });

  test("go with their organisation, what reverses others too", async () => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    let last = await post(by, [
      [bank.id, -5],
      [food.id, 5],
    ]);
    for (let count = 0; count < 3; count++) last = await records.reverseTransaction({ id: last.id }, by);
    expect(await purgeTenant(by.tenantId)).toBe(true);
    for (const table of ["account", "ledger_transaction", "ledger_entry"])
      expect(await tenantQuery(by, `select 1 from records.${table} where tenant_id = $1`, [by.tenantId])).toEqual([]);
  });
});

describe("an account", () => {
  test("has a code of its own that stays, and a name that changes", async () => {
    const by = createCaller();
    const made = await account(by, { code: "1200", name: "Bank" });
    expect(made).toMatchObject({ version: 1, code: "1200", kind: "asset", etag: '"1"' });
    expect(await reason(account(by, { code: "1200" }))).toBe("account_code_taken");
    expect(await refusal(account(by, { code: "orders:sales" }))).toMatchObject({
      fields: { code: expect.stringContaining("colon") as string },
    });
    expect(await records.updateAccount({ id: made.id, name: "Giro", ifMatch: '"1"' }, by)).toMatchObject({
      ...{ version: 2, name: "Giro" },
    });
    expect(await reason(records.updateAccount({ id: made.id, name: "X", ifMatch: '"1"' }, by))).toBe(
      "precondition_failed",
    );
    expect(await reason(records.getAccount({ id: made.id }, createCaller("owner")))).toBe("account_not_found");
  });

  test("is deleted while nothing was posted to it, comes back, and goes for good after thirty days", async () => {
    const by = createCaller();
    const [bank, food] = await pair(by);
    const unused = await account(by);
    await post(by, [
      [bank.id, -5],
      [food.id, 5],
    ]);
    expect(await reason(records.removeAccount({ id: bank.id }, by))).toBe("account_in_use");
    await records.removeAccount({ id: unused.id }, by);
    expect(await records.restoreAccount({ id: unused.id }, by)).toMatchObject({ version: 3 });
    await records.removeAccount({ id: unused.id }, by);
    const old = "update records.account set deleted_at = now() - interval '31 days' where tenant_id = $1 and id = $2";
    await tenantQuery(by, old, [by.tenantId, unused.id]);
    await purgeDeleted();
    expect((await records.listAccounts({ deleted: true }, by)).items).toEqual([]);
    expect((await records.listAccounts({ sort: "code" }, by)).items.map(({ id }) => id)).toEqual([bank.id, food.id]);
  });
});

test("transactions are listed, filtered and sorted", async () => {
  const by = createCaller();
  const [bank, food] = await pair(by);
  const days = ["2026-01-03", "2026-01-01", "2026-01-02"];
  const made = [];
  for (const [at, bookedAt] of days.entries())
    made.push(
      await post(
        by,
        [
          [bank.id, -1 - at],
          [food.id, 1 + at],
        ],
        { bookedAt, reference: `R-${at}` },
      ),
    );
  const [third, first, second] = made;
  const list = async (req: Parameters<typeof records.listTransactions>[0]): Promise<string[]> =>
    (await records.listTransactions(req, by)).items.map(({ id }) => id);
  expect(await list({ sort: "bookedAt" })).toEqual([first!.id, second!.id, third!.id]);
  expect(await list({ bookedAt: ["gte.2026-01-02"], sort: "-bookedAt" })).toEqual([third!.id, second!.id]);
  expect(await list({ reference: ["starts.R-"], origin: ["eq.manual"], sort: "bookedAt", limit: 2 })).toHaveLength(2);
  const page = await records.listTransactions({ sort: "bookedAt", limit: 2 }, by);
  expect(await list({ sort: "bookedAt", limit: 2, cursor: page.next! })).toEqual([third!.id]);
  const { items } = await records.listTransactions(
    { id: [`eq.${first!.id}`], fields: "entries", include: "accounts" },
    by,
  );
  expect(items).toEqual([{ id: first!.id, entries: first!.entries, accounts: expect.any(Array) as unknown[] }]);
});
