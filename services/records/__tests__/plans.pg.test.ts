// What a list costs of 100,000 records: the server's own plans, under row security, for what lists may be asked. Each order begins at its
// place in an index, and each filter that fits few is found by one; all that is sorted also while the planner
// knows nothing of the table yet.
import { beforeAll, expect, test } from "vitest";
import { ownerPool } from "../../../db/__tests__/owner";
import { tenantQuery, withTenant } from "../../../db/tenant";
import { createCaller } from "../../../testing";
import { readListing, positionText, type ListRequest } from "../listing";
import { listStatement } from "../store/list";
import { products } from "../store/products";

const by = createCaller();
const ROWS = 100_000;
/** Pages of the table and its indexes that a page of fifty may touch. */
const BLOCKS_MAX = 250;

beforeAll(async () => {
  const insert = `insert into records.product (tenant_id, id, sku, name, price_minor, currency, stock, created_at, updated_at)
    select $1::uuid, gen_random_uuid(), 's' || n, 'name ' || md5(n::text), n % 10000, 'EUR', 1, '2026-01-01'::timestamptz + n * interval '1 second', now()
      from generate_series(1, $2::int) n`;
  // A neighbour as large: what is read of it would show.
  for (const { tenantId } of [by, createCaller()])
    await withTenant({ tenantId }, (tx) => tx.execute(insert, [tenantId, ROWS]), { statementTimeoutMs: 120_000 });
}, 180_000);

interface Plan {
  "Node Type": string;
  "Index Name"?: string;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

async function planOf(request: ListRequest): Promise<{ indexes: string[]; kinds: string[]; blocks: number }> {
  const { text, values } = listStatement(by.tenantId, products, readListing(products, request));
  const [row] = await tenantQuery<{ "QUERY PLAN": [{ Plan: Plan }] }>(
    by,
    `explain (analyze, buffers, format json) ${text}`,
    values,
  );
  const plan = row!["QUERY PLAN"][0].Plan;
  const nodes = nodesOf(plan);
  return {
    indexes: nodes.flatMap((node) => node["Index Name"] ?? []).filter((name) => name.startsWith("product")),
    kinds: nodes.map((node) => node["Node Type"]),
    blocks: plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
  };
}

/** Behind a record in the middle. */
function behind(sort: string, values: Record<string, unknown>): string {
  const { sort: keys } = readListing(products, { sort, filters: {} });
  return positionText(keys, { ...values, id: "80000000-0000-4000-8000-000000000000" });
}

const middle = { createdAt: new Date("2026-01-01T13:00:00Z"), name: "name 8", sku: "s5", priceMinor: 5000 };

const asked: [string, ListRequest, string][] = [
  ["the newest", { filters: {} }, "product_age"],
  ["the newest, behind a place", { filters: {}, cursor: behind("-createdAt", middle) }, "product_age"],
  ["the oldest, by number of the page", { filters: {}, sort: "createdAt", page: 20 }, "product_age"],
  ["by name", { filters: {}, sort: "name", cursor: behind("name", middle) }, "product_name"],
  ["by SKU", { filters: {}, sort: "-sku", cursor: behind("-sku", middle) }, "product_sku_key"],
  ["by price", { filters: {}, sort: "priceMinor", cursor: behind("priceMinor", middle) }, "product_price"],
  ["by price, then the newest", { filters: {}, sort: "priceMinor,-createdAt" }, "product_price"],
  [
    "by price, then the newest, behind a place",
    { filters: {}, sort: "priceMinor,-createdAt", cursor: behind("priceMinor,-createdAt", middle) },
    "product_price",
  ],
  ["of one SKU", { filters: { sku: ["eq.s77"] } }, "product_sku_key"],
  ["whose names begin so", { filters: { name: ["starts.name 12345"] } }, "product_name"],
  ["of one price", { filters: { priceMinor: ["eq.77"] } }, "product_price"],
];

let analyzed: Promise<unknown> | undefined;

async function expectIndex(request: ListRequest, index: string): Promise<void> {
  const { indexes, kinds, blocks } = await planOf(request);
  expect(kinds).not.toContain("Seq Scan");
  expect(indexes).toContain(index);
  expect(blocks).toBeLessThan(request.page === undefined ? BLOCKS_MAX : 5 * BLOCKS_MAX);
}

const isSortedOnly = ([, { filters }]: (typeof asked)[number]): boolean => Object.keys(filters).length === 0;

test("a list in any order begins at its place in an index, whatever the planner knows of the table", async () => {
  const sorted = asked.filter(isSortedOnly);
  expect(sorted.length).toBeGreaterThan(5);
  for (const [, request, index] of sorted) await expectIndex(request, index);
});

test.each(asked)("a list %s is found by an index, and touches few pages", async (_what, request, index) => {
  await (analyzed ??= ownerPool().query("analyze records.product"));
  await expectIndex(request, index);
});
