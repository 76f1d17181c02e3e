// Several rows in one request: each with an outcome of its own, all in one transaction.
import { records } from "~encore/clients";
import { expect, test } from "vitest";
import { tenantQuery } from "../../../db/tenant";
import { createCaller } from "../../../testing";
import { newProduct } from "../input";
import { doRows } from "../rows";
import { category, product } from "./things";

const row = (sku: string, more: Record<string, unknown> = {}) => ({
  sku,
  name: sku,
  priceMinor: 1,
  currency: "EUR",
  ...more,
});

test("what is refused of one row leaves the others as they are, in the request's order", async () => {
  const by = createCaller();
  await product(by, { sku: "b" });
  const { id: categoryId } = await category(createCaller(), "of another");
  const { rows } = await records.createProducts(
    { rows: [row("z"), row("b"), row("a", { stock: -1 }), row("c", { categoryId }), row("y"), row("y")] },
    by,
  );
  expect(
    rows.map(({ index, status, reason: why, fields }) => [index, status, why, fields && Object.keys(fields)]),
  ).toEqual([
    [0, "done", undefined, undefined],
    [1, "failed", "sku_taken", undefined],
    [2, "failed", "invalid_request", ["stock"]],
    [3, "failed", "category_not_found", ["categoryId"]],
    [4, "done", undefined, undefined],
    [5, "failed", "sku_taken", undefined],
  ]);
  const { items } = await records.listProducts({ sort: "sku", fields: "sku" }, by);
  expect(items).toEqual([
    { id: expect.any(String) as string, version: 1, sku: "b" },
    { id: rows[4]!.id, version: 1, sku: "y" },
    { id: rows[0]!.id, version: 1, sku: "z" },
  ]);
});

test("changes say of which version they are, where they say it", async () => {
  const by = createCaller();
  const [one, two] = [await product(by, { sku: "one" }), await product(by, { sku: "two" })];
  const { rows } = await records.updateProducts(
    {
      rows: [
        { id: two.id, version: 1, priceMinor: 2 },
        { id: one.id, version: 7, priceMinor: 3 },
        { id: two.id, version: 1, priceMinor: 4 },
        { id: one.id, sku: "two" },
        { id: one.id, name: "1" },
        { id: "none", name: "x" },
        { id: one.id },
      ],
    },
    by,
  );
  expect(rows.map(({ version, reason: why }) => version ?? why)).toEqual([
    2,
    "precondition_failed",
    "precondition_failed",
    "sku_taken",
    2,
    "invalid_request",
    "invalid_request",
  ]);
  expect(await records.getProduct({ id: one.id }, by)).toMatchObject({ sku: "one", name: "1", priceMinor: 450 });
  expect(await records.getProduct({ id: two.id }, by)).toMatchObject({ priceMinor: 2, version: 2 });
});

test("categories too, of which the ones before a row are there for it", async () => {
  const by = createCaller();
  const { rows: made } = await records.createCategories({ rows: [{ name: "a" }, { name: "a" }, { name: "b" }] }, by);
  expect(made.map(({ status }) => status)).toEqual(["done", "failed", "done"]);
  const [a, , b] = made.map(({ id = "" }) => id);
  const { rows } = await records.updateCategories(
    {
      rows: [
        { id: a!, parentId: b! },
        { id: b!, parentId: a! },
        { id: b!, name: "c" },
      ],
    },
    by,
  );
  expect(rows.map(({ reason: why, status }) => why ?? status)).toEqual(["done", "category_cycle", "done"]);
});

test("more than sixty rows, or none, are refused", async () => {
  const by = createCaller();
  for (const count of [0, 61]) {
    const rows = Array.from({ length: count }, (_, at) => row(`s${at}`));
    await expect(records.createProducts({ rows }, by)).rejects.toThrow(/length too (?:short|long)/);
  }
});

test("a text of megabytes is refused by its length, and not looked through", () => {
  const long = "a".repeat(5_000_000);
  const begun = performance.now();
  const parsed = newProduct.safeParse({ ...row(long), name: long, description: long });
  expect(performance.now() - begun).toBeLessThan(50);
  expect(parsed.error?.issues.map(({ message }) => message)).toEqual([
    "is longer than 64 characters",
    "is longer than 200 characters",
    "is longer than 5000 characters",
  ]);
});

test("what nobody foresaw takes all of it back", async () => {
  const by = createCaller();
  const insert = `insert into records.category (tenant_id, id, name, created_at, updated_at) values ($1, gen_random_uuid(), $2, now(), now()) returning id, version`;
  const done = doRows(by.principal, ["a", "b"], async (ask, name) => {
    const [made] = await ask<{ id: string; version: number }>(insert, [by.tenantId, name]);
    if (name === "b") await ask("select 1 / 0", []);
    return made!;
  });
  await expect(done).rejects.toMatchObject({ sqlState: "22012" });
  expect(await tenantQuery(by, "select 1 from records.category where tenant_id = $1", [by.tenantId])).toEqual([]);
});

test("accounts are made and renamed in several rows, of which one is refused by itself", async () => {
  const by = createCaller();
  const made = await records.createAccounts(
    {
      rows: [
        { code: "bank", name: "Bank", kind: "asset" },
        { code: "of:app", name: "No", kind: "asset" },
        { code: "bank", name: "Again", kind: "asset" },
      ],
    },
    by,
  );
  expect(made.rows.map(({ status, reason: why }) => [status, why])).toEqual([
    ["done", undefined],
    ["failed", "invalid_request"],
    ["failed", "account_code_taken"],
  ]);
  const id = made.rows[0]!.id!;
  const changed = await records.updateAccounts(
    {
      rows: [
        { id, version: 1, name: "Cash" },
        { id, version: 1, name: "Never" },
      ],
    },
    by,
  );
  expect(changed.rows).toMatchObject([
    { status: "done", version: 2 },
    { status: "failed", reason: "precondition_failed" },
  ]);
  expect(await records.getAccount({ id }, by)).toMatchObject({ name: "Cash" });
});

test("transactions are posted in several rows: what is refused of one is neither posted nor told", async () => {
  const by = createCaller();
  const { rows: accounts } = await records.createAccounts(
    {
      rows: ["bank", "food"].map((code) => ({ code, name: code, kind: "asset" as const })),
    },
    by,
  );
  const [bank, food] = accounts.map(({ id }) => id!) as [string, string];
  const moving = (given: number, got: number) => ({
    entries: [
      { accountId: bank, amountMinor: -given, currency: "EUR" },
      { accountId: food, amountMinor: got, currency: "EUR" },
    ],
  });
  const gone = { entries: moving(1, 1).entries.map((entry) => ({ ...entry, accountId: crypto.randomUUID() })) };
  const { rows } = await records.createTransactions(
    { rows: [moving(5, 5), moving(5, 4), gone, { entries: [] }, moving(7, 7)] },
    by,
  );
  expect(rows.map(({ status, reason: why }) => [status, why])).toEqual([
    ["done", undefined],
    ["failed", "transaction_unbalanced"],
    ["failed", "account_not_found"],
    ["failed", "invalid_request"],
    ["done", undefined],
  ]);
  const { items } = await records.listTransactions({ sort: "createdAt" }, by);
  expect(items.map(({ id }) => id).sort()).toEqual([rows[0]!.id, rows[4]!.id].sort());
  const told =
    "select aggregate_id as id from events.outbox where tenant_id = $1 and type = 'records.transaction.posted'";
  const events = await tenantQuery<{ id: string }>(by, told, [by.tenantId]);
  expect(events.map(({ id }) => id).sort()).toEqual(items.map(({ id }) => id).sort());
});
