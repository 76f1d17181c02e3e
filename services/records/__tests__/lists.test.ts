// Lists against a plain reference: the same records in memory, filtered, sorted and cut by JavaScript. Whatever is asked, the pages of the
// database together are that.
import { records } from "~encore/clients";
import { beforeAll, describe, expect, test } from "vitest";
import { tenantQuery } from "../../../db/tenant";
import { createCaller } from "../../../testing";
import { category, createRandom, product, refusal } from "./things";

const by = createCaller();
const WORDS = [
  "Tea",
  "Tea green",
  "Te",
  "Teb",
  "tea",
  "Ähre",
  "\u{10ffff}",
  "\u{10ffff}b",
  "\ud7ff",
  "\ud7ffa",
  "\ue000",
  "%",
  "_",
];
const ROWS = 60;
/** How many different lists are asked for. */
const SEEDS = Number(process.env.GROUNDWORK_LIST_SEEDS ?? 6);

interface Row {
  id: string;
  sku: string;
  name: string;
  categoryId: string | null;
  priceMinor: number;
  currency: string;
  createdAt: string;
}
let rows: Row[];
let categoryIds: (string | null)[];

beforeAll(async () => {
  const random = createRandom(7);
  categoryIds = [null, (await category(by, "one")).id, (await category(by, "two")).id];
  const made = Array.from({ length: ROWS }, (_, at) => ({
    sku: `s${String(random.integer(0, 9999)).padStart(4, "0")}-${at}`,
    name: random.pick(WORDS),
    category_id: random.pick(categoryIds),
    price_minor: random.integer(0, 6),
    currency: random.pick(["EUR", "USD"]),
    // Several of one moment, and milliseconds.
    created_at: new Date(Date.UTC(2026, 0, 1, 0, 0, 0, random.integer(0, 20))).toISOString(),
  }));
  rows = await tenantQuery<Row & { createdAt: Date }>(
    by,
    `insert into records.product (tenant_id, id, sku, name, category_id, price_minor, currency, stock, created_at, updated_at)
     select $1, gen_random_uuid(), r.sku, r.name, r.category_id, r.price_minor, r.currency, 0, r.created_at, r.created_at
       from json_to_recordset($2::json) as r(sku text, name text, category_id uuid, price_minor bigint, currency text, created_at timestamptz)
     returning id, sku, name, category_id as "categoryId", price_minor as "priceMinor", currency, created_at as "createdAt"`,
    [by.tenantId, JSON.stringify(made)],
  ).then((all) => all.map((row) => ({ ...row, createdAt: (row.createdAt as unknown as Date).toISOString() })));
});

type Sortable = "createdAt" | "sku" | "name" | "priceMinor";
const compare = (a: string | number, b: string | number): number => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
};

interface Asked {
  filters: Record<string, string[]>;
  fits: (row: Row) => boolean;
  sort: string;
  limit: number;
}

/** One list as a client might ask for it, and which rows it is of. */
function ask(seed: number): Asked {
  const random = createRandom(seed);
  const filters: Record<string, string[]> = {};
  const tests: ((row: Row) => boolean)[] = [];
  const add = (field: string, text: string, fits: (row: Row) => boolean): void => {
    (filters[field] ??= []).push(text);
    tests.push(fits);
  };
  const price = random.integer(0, 6);
  const word = random.pick(WORDS);
  const moment = `2026-01-01T00:00:00.0${String(random.integer(0, 20)).padStart(2, "0")}Z`;
  const chosen = random.pick(categoryIds);
  const filterings: (() => void)[] = [
    () => add("priceMinor", `gte.${price}`, (row) => row.priceMinor >= price),
    () => add("priceMinor", `lt.${price}`, (row) => row.priceMinor < price),
    () => add("priceMinor", `in.${price},0`, (row) => [price, 0].includes(row.priceMinor)),
    () => add("name", `starts.${word}`, (row) => row.name.startsWith(word)),
    () => add("name", `eq.${word}`, (row) => row.name === word),
    () => add("name", `in.${word},Te`, (row) => [word, "Te"].includes(row.name)),
    () => add("sku", "starts.s1", (row) => row.sku.startsWith("s1")),
    () => add("currency", "eq.EUR", (row) => row.currency === "EUR"),
    () => add("createdAt", `gt.${moment}`, (row) => row.createdAt > moment),
    () => add("createdAt", `lte.${moment}`, (row) => row.createdAt <= moment),
    () =>
      chosen === null
        ? add("categoryId", "is.null", (row) => row.categoryId === null)
        : add("categoryId", `eq.${chosen}`, (row) => row.categoryId === chosen),
    () => add("categoryId", "is.set", (row) => row.categoryId !== null),
  ];
  for (let count = random.integer(0, 2); count > 0; count--) random.pick(filterings)();
  const names = ["createdAt", "sku", "name", "priceMinor"].sort(() => (random.chance(0.5) ? 1 : -1));
  const sort = names
    .slice(0, random.integer(1, 3))
    .map((name) => (random.chance(0.5) ? `-${name}` : name))
    .join(",");
  return { filters, fits: (row) => tests.every((fits) => fits(row)), sort, limit: random.integer(7, 40) };
}

function expected({ fits, sort }: Asked): string[] {
  const keys = sort
    .split(",")
    .map((key) => (key.startsWith("-") ? { name: key.slice(1), down: true } : { name: key, down: false }));
  keys.push({ name: "id", down: keys.at(-1)!.down });
  const order = (a: Row, b: Row): number => {
    for (const { name, down } of keys) {
      const found = compare(a[name as Sortable], b[name as Sortable]);
      if (found !== 0) return down ? -found : found;
    }
    return 0;
  };
  return rows
    .filter(fits)
    .sort(order)
    .map(({ id }) => id);
}

describe("a list", () => {
  test.each(Array.from({ length: SEEDS }, (_, at) => at + 1))(
    "is what the reference says, page by page (seed %i)",
    async (seed) => {
      const asked = ask(seed);
      const { filters, sort, limit } = asked;
      const found: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await records.listProducts(
          { ...filters, sort, limit, fields: "sku", ...(cursor && { cursor }) },
          by,
        );
        const byNumber = await records.listProducts({ ...filters, sort, limit, fields: "sku", page: ++pages }, by);
        expect(byNumber).toEqual(page);
        for (const item of page.items) expect(Object.keys(item).sort()).toEqual(["id", "sku", "version"]);
        found.push(...page.items.map(({ id }) => id));
        cursor = page.next;
      } while (cursor !== undefined);
      expect(found, JSON.stringify({ filters, sort, limit })).toEqual(expected(asked));
    },
  );

  test("is of the newest first, with all fields, when nothing is said", async () => {
    const { items, next } = await records.listProducts({}, by);
    expect(items.map(({ id }) => id)).toEqual(
      expected({ filters: {}, fits: () => true, sort: "-createdAt", limit: 50 }).slice(0, 50),
    );
    const { id } = items[0]!;
    expect(items[0]).toEqual((({ etag: _, ...rest }) => rest)(await records.getProduct({ id }, by)));
    expect(next).toBeDefined();
    expect((await records.listProducts({}, createCaller("owner"))).items).toEqual([]);
  });

  test("takes several values bare, in brackets, and between quotes where they have commas", async () => {
    const owner = createCaller();
    for (const sku of ["a", "b", "a,b", 'q"', "(", "c"]) await product(owner, { sku });
    const found = async (text: string) =>
      (await records.listProducts({ sku: [text], sort: "sku" }, owner)).items.map(({ sku }) => sku);
    expect(await found("in.a,b")).toEqual(["a", "b"]);
    expect(await found("in.(a,b)")).toEqual(["a", "b"]);
    expect(await found("in.(a)")).toEqual(["a"]);
    expect(await found('in.("a,b","q\\"",c)')).toEqual(["a,b", "c", 'q"']);
    expect(await found("in.(")).toEqual(["("]);
  });

  test("of what was deleted begins with what went last", async () => {
    const owner = createCaller();
    const gone: string[] = [];
    for (const name of ["a", "b", "c"]) gone.unshift((await product(owner, { name })).id);
    for (const id of gone) await records.removeProduct({ id }, owner);
    const list = (request: Parameters<typeof records.listProducts>[0]) =>
      records.listProducts({ deleted: true, ...request }, owner);
    const { items: all } = await list({});
    expect(all.map(({ deletedAt }) => deletedAt)).toEqual(
      all
        .map(({ deletedAt }) => deletedAt)
        .sort()
        .reverse(),
    );
    expect(all).toHaveLength(3);
    const { items, next } = await list({ limit: 2, fields: "name" });
    const { items: rest } = await list({ limit: 2, cursor: next! });
    expect([...items, ...rest].map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    expect((await list({ name: ["eq.b"] })).items).toHaveLength(1);
    expect(await refusal(list({ sort: "name" }))).toMatchObject({ reason: "invalid_request" });
  });

  test("brings categories along", async () => {
    const { items } = await records.listProducts(
      { include: "category", fields: "name", categoryId: [`eq.${categoryIds[1]}`] },
      by,
    );
    expect(items.length).toBeGreaterThan(5);
    for (const { category: found } of items) expect(found).toEqual({ id: categoryIds[1], name: "one", version: 1 });
  });

  const position = (...parts: unknown[]): string => Buffer.from(JSON.stringify(parts)).toString("base64url");
  const id = "01890000-0000-7000-8000-000000000000";
  test.each<[string, Parameters<typeof records.listProducts>[0], string]>([
    ["a sort that no index serves", { sort: "stock" }, "sort"],
    ["a sort by what there is not", { sort: "toString" }, "sort"],
    ["four sorts", { sort: "name,sku,createdAt,priceMinor" }, "sort"],
    ["a sort twice", { sort: "name,-name" }, "sort"],
    ["SQL for a sort", { sort: "name;drop table records.product" }, "sort"],
    ["a field that is none", { fields: "name,tenantId" }, "fields"],
    ["something to include that is none", { include: "constructor" }, "include"],
    ["no operator", { name: ["Tea"] }, "name"],
    ["an operator of another field", { currency: ["starts.E"] }, "currency"],
    ["an operator that is none", { name: ["constructor.x"] }, "name"],
    ["a price that is no number", { priceMinor: ["eq.1e3"] }, "priceMinor"],
    ["a moment without a zone", { createdAt: ["gt.2026-01-01T00:00:00"] }, "createdAt"],
    ["a moment that is none", { createdAt: ["gt.2026-13-01"] }, "createdAt"],
    ["an id that is none", { categoryId: ["eq.x"] }, "categoryId"],
    ["is what it is not", { categoryId: ["is.true"] }, "categoryId"],
    ["a NUL", { name: ["eq.\u0000"] }, "name"],
    ["too many filters", { name: Array.from({ length: 13 }, () => "eq.a") }, "(query)"],
    ["too many values", { sku: [`in.${Array.from({ length: 51 }, (_, at) => at).join()}`] }, "sku"],
    ["values with something behind a quote", { sku: ['in.("a"b)'] }, "sku"],
    ["a page beside a cursor", { page: 1, cursor: position("-createdAt", "2026-01-01T00:00:00.000Z", id) }, "page"],
    ["a page too far", { page: 5_000, limit: 100 }, "page"],
    ["half a page", { page: 1.5 }, "page"],
    ["a cursor that is none", { cursor: "x" }, "cursor"],
    [
      "a cursor of another sort",
      { sort: "name", cursor: position("-createdAt", "2026-01-01T00:00:00.000Z", id) },
      "cursor",
    ],
    ["a cursor with another type", { cursor: position("-createdAt", "x", id) }, "cursor"],
    ["a cursor without an id", { cursor: position("-createdAt", "2026-01-01T00:00:00.000Z", "x") }, "cursor"],
    ["a cursor with too much", { cursor: position("-createdAt", "2026-01-01T00:00:00.000Z", id, id) }, "cursor"],
    ["a cursor of objects", { cursor: position("-createdAt", {}, id) }, "cursor"],
    ["a cursor with a NUL", { sort: "name", cursor: position("name", "\u0000", id) }, "cursor"],
  ])("with %s is refused, by the parameter's name", async (_what, request, field) => {
    expect(await refusal(records.listProducts(request, by))).toMatchObject({
      reason: "invalid_request",
      fields: { [field]: expect.any(String) as string },
    });
  });

  test("takes quotes and whatever else as values, never as SQL", async () => {
    for (const text of ["'", "''; select 1 --", "$1", "\\", "a%"])
      expect((await records.listProducts({ name: [`eq.${text}`] }, by)).items).toEqual([]);
    await expect(records.listProducts({ limit: 101 }, by)).rejects.toThrow("value must be at most 100");
  });
});
