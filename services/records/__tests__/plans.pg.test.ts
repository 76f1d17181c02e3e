// What a list costs of 100,000 records: the server's own plans, under row security, for what lists may be asked. Each order begins at its
// place in an index, and each filter that fits few is found by one; all that is sorted also while the planner
// knows nothing of the table yet.
import { beforeAll, expect, test } from "vitest";
import { records } from "~encore/clients";
import { ownerPool } from "../../../db/__tests__/owner";
import { tenantQuery, withTenant } from "../../../db/tenant";
import { createCaller } from "../../../testing";
import { category, reason, refusal } from "./things";
import { filtersOf, isOfFew } from "../../../db/listing/lists";
import { readListing, positionText, type ListRequest } from "../../../db/listing/listing";
import type { Operator, Resource } from "../../../db/listing/resource";
import { categories } from "../store/categories";
import { countStatement, listStatement } from "../../../db/listing/statement";
import { products } from "../store/products";

const by = createCaller();
const ROWS = 100_000;
/** Pages of the table and its indexes that a page of fifty may touch. */
const BLOCKS_MAX = 250;

beforeAll(async () => {
  const insert = `insert into records.product (tenant_id, id, sku, name, price_minor, currency, stock, created_at, updated_at)
    select $1::uuid, gen_random_uuid(), 's' || n, 'name ' || md5(n::text), n % 10000, 'EUR', 1, '2026-01-01'::timestamptz + n * interval '1 second', now()
      from generate_series(1, $2::int) n`;
  const remove = `update records.product set deleted_at = created_at + interval '60 days' where tenant_id = $1 and price_minor % 5 = 4`;
  // A neighbour as large: what is read of it would show.
  for (const { tenantId } of [by, createCaller()])
    await withTenant(
      { tenantId },
      async (tx) => {
        await tx.execute(insert, [tenantId, ROWS + ROWS / 4]);
        await tx.execute(remove, [tenantId]);
      },
      { statementTimeoutMs: 120_000 },
    );
}, 180_000);

interface Plan {
  "Node Type": string;
  "Index Name"?: string;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: Plan[];
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

interface Statement {
  text: string;
  values: readonly unknown[];
}

/** As the list is asked for, once its filters are counted: by the one that finds few, if there is one. */
function statementOf(request: ListRequest): Statement {
  const listing = readListing(products, request);
  const found = filtersOf(listing).find((conditions) => isOfFew(conditions, listing));
  return listStatement(by.tenantId, products, listing, found);
}

async function planOf({ text, values }: Statement): Promise<{ indexes: string[]; kinds: string[]; blocks: number }> {
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

function behindDeleted(): string {
  const { sort: keys } = readListing(products, { deleted: true, filters: {} });
  return positionText(keys, {
    deletedAt: new Date("2026-03-01T13:00:00Z"),
    id: "80000000-0000-4000-8000-000000000000",
  });
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
  ["deleted last", { filters: {}, deleted: true }, "product_deleted"],
  ["deleted, behind a place", { filters: {}, deleted: true, cursor: behindDeleted() }, "product_deleted"],
];

let analyzed: Promise<unknown> | undefined;

async function expectIndex(request: ListRequest, index: string): Promise<void> {
  const { indexes, kinds, blocks } = await planOf(statementOf(request));
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

/** What a filter of each operator may be that finds none of the records. */
const none: Readonly<Record<string, Partial<Record<Operator, string>>>> = {
  id: { eq: "eq.01890000-0000-7000-8000-000000000000", in: "in.01890000-0000-7000-8000-000000000000" },
  sku: { eq: "eq.none", in: "in.(none,nor)", starts: "starts.none" },
  name: { eq: "eq.none", in: "in.(none,nor)", starts: "starts.none" },
  categoryId: {
    eq: "eq.01890000-0000-7000-8000-000000000000",
    in: "in.01890000-0000-7000-8000-000000000000",
    is: "is.set",
  },
  priceMinor: { eq: "eq.-1", in: "in.-1,-2", gt: "gt.10000", gte: "gte.10000", lt: "lt.0", lte: "lte.-1" },
  currency: { eq: "eq.CHF" },
  createdAt: { gt: "gt.2036-01-01", gte: "gte.2036-01-01", lt: "lt.2016-01-01", lte: "lte.2016-01-01" },
};
const filterings = Object.entries(products.columns).flatMap(([name, { operators }]) =>
  operators.map((operator) => [name, operator] as const),
);

const expectFew = async (statement: Statement): Promise<void> => {
  const { kinds, blocks } = await planOf(statement);
  expect(kinds).not.toContain("Seq Scan");
  expect(blocks).toBeLessThan(60);
};

test.each([false, true])("each filter that finds nothing reads next to nothing (analyzed: %s)", async (isAnalyzed) => {
  if (isAnalyzed) await (analyzed ??= ownerPool().query("analyze records.product"));
  for (const [name, operator] of filterings) {
    const text = none[name]?.[operator];
    expect(text, `${name} ${operator}`).toBeDefined();
    const listing = readListing(products, { filters: { [name]: [text!] }, sort: "-createdAt,name" });
    const [found] = filtersOf(listing);
    await expectFew(listStatement(by.tenantId, products, listing, found));
    await expectFew(countStatement(by.tenantId, products, [found!]));
  }
});

test("a filter that finds all is counted no further than it must be", async () => {
  const texts = ["eq.EUR", "gte.0", "gt.2016-01-01", "starts.name", "is.null"];
  for (const [at, name] of ["currency", "priceMinor", "createdAt", "name", "categoryId"].entries()) {
    const listing = readListing(products, { filters: { [name]: [texts[at]!] } });
    const { blocks, kinds } = await planOf(countStatement(by.tenantId, products, filtersOf(listing)));
    expect(kinds).not.toContain("Seq Scan");
    expect(blocks, name).toBeLessThan(6_000);
  }
});

test.each<[string, Resource]>([
  ["product", products],
  ["category", categories],
])("each column of a %s that lists filter or sort by begins an index behind the tenant", async (table, { columns }) => {
  const { rows } = await ownerPool().query<{ name: string }>(
    `select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[1]
      where i.indrelid = $1::regclass and i.indisvalid`,
    [`records.${table}`],
  );
  const indexed = new Set(rows.map(({ name }) => name));
  const asked = Object.values(columns).filter(({ operators, isSortable }) => operators.length > 0 || isSortable);
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.map(({ sql }) => sql).filter((sql) => !indexed.has(sql))).toEqual([]);
});

test("a list by a filter that finds little answers at once, whatever it is sorted by", async () => {
  for (const sort of ["-createdAt", "name", "priceMinor,-createdAt"]) {
    const list = (filters: Record<string, string[]>) => records.listProducts({ ...filters, sort }, by);
    const begun = performance.now();
    expect((await list({ currency: ["eq.CHF"] })).items).toEqual([]);
    expect((await list({ currency: ["eq.EUR"], priceMinor: ["eq.77"] })).items.length).toBeGreaterThan(5);
    expect(performance.now() - begun).toBeLessThan(500);
  }
});

test("a list that would pass over too many records for its page is refused, with what to do", async () => {
  // Each of these finds much, and what fits all of them stands behind 20,000 that cost more.
  const oldest = { name: ["starts.name"], currency: ["eq.EUR"], createdAt: ["lt.2026-01-01T02:00:00Z"], limit: 100 };
  const list = (request: Parameters<typeof records.listProducts>[0]) =>
    records.listProducts({ ...oldest, ...request }, by);
  expect(await refusal(list({ sort: "-priceMinor" }))).toMatchObject({ reason: "list_too_costly" });
  for (const narrower of [
    { sort: "-createdAt" },
    { sort: "priceMinor" },
    { sort: "-priceMinor", priceMinor: ["lt.7000"] },
  ])
    expect((await list(narrower)).items, narrower.sort).toHaveLength(100);
});

test("no more lists of an organisation go along their order at once than leave room for others", async () => {
  const long = {
    name: ["starts.name"],
    currency: ["eq.EUR"],
    createdAt: ["lt.2026-01-01T02:00:00Z"],
    sort: "-priceMinor",
  };
  const told = await Promise.all(Array.from({ length: 12 }, () => reason(records.listProducts(long, by))));
  expect(new Set(told)).toEqual(new Set(["list_too_costly", "rate_limited"]));
});

/** Without the looks of the table's triggers at each of them, which take most of half a minute. */
async function plantBelow(tenantId: string, parentId: string, count: number): Promise<void> {
  const client = await ownerPool().connect();
  try {
    await client.query("begin");
    await client.query("alter table records.category disable trigger user");
    await client.query(
      `insert into records.category (tenant_id, id, parent_id, name, created_at, updated_at)
       select $1::uuid, gen_random_uuid(), $2::uuid, 'n' || n, now(), now() from generate_series(1, $3::int) n`,
      [tenantId, parentId, count],
    );
    await client.query("alter table records.category enable trigger user");
    await client.query("commit");
  } finally {
    // With whatever was left undone.
    client.release(true);
  }
}

test("what too much stands below moves to the top and beside, but not further down", async () => {
  const owner = createCaller();
  const make = (name: string, parentId?: string) => category(owner, name, parentId);
  const [wide, beside, deep] = [await make("wide"), await make("beside"), await make("deep")];
  const deeper = await make("deeper", deep.id);
  await plantBelow(owner.tenantId, wide.id, 10_001);
  const begun = performance.now();
  const move = (parentId: string | null) =>
    reason(records.updateCategory({ id: wide.id, parentId, ifMatch: "*" }, owner));
  expect(await move(beside.id)).toBe("category_too_wide");
  const { items } = await records.listCategories({ parentId: [`eq.${wide.id}`], limit: 1 }, owner);
  await records.removeCategory({ id: items[0]!.id, ifMatch: "*" }, owner);
  expect(await move(beside.id)).toBeUndefined();
  await make("one more", wide.id);
  expect(await move(deeper.id)).toBe("category_too_wide");
  expect(await move(deep.id)).toBeUndefined();
  expect(await move(null)).toBeUndefined();
  expect(performance.now() - begun).toBeLessThan(5_000);
});
