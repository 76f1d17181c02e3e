// A list that is taken out whole: what its pages have, in their order, no faster than it is read, and for nobody who may not read it any more.
import { auth, records } from "~encore/clients";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { beginReading } from "../../../db/acting";
import type { ListRequest } from "../../../db/listing/listing";
import { plainSql } from "../../../db/plain-statement";
import { tenantQuery } from "../../../db/tenant";
import { registerCaller, type RegisteredCaller } from "../../../testing";
import { writeList, type ExportFormat } from "../list-export";
import { products } from "../store/products";
import { reason } from "./things";

/** `count` of them, the oldest first; the last `rare` are called so. */
async function owner(count: number, rare = 0): Promise<RegisteredCaller> {
  const by = await registerCaller();
  // Some at a time: each statement has few seconds.
  for (let from = 1; from <= count; from += 5_000)
    await tenantQuery(
      by.principal,
      `insert into records.product (tenant_id, id, sku, name, price_minor, currency, stock, created_at, updated_at)
       select $1, gen_random_uuid(), 'sku-' || lpad(n::text, 6, '0'), case when n > $2 - $3 then 'rare' else 'name' end, n, 'EUR', 1,
              now() - interval '1 day' + n * interval '1 millisecond', now() from generate_series($4::int, least($2::int, $4::int + 4999)) n`,
      [by.tenantId, count, rare, from],
    );
  return by;
}

interface Taking extends Partial<ListRequest> {
  format?: ExportFormat;
  /** What happens when the first piece is there. */
  meanwhile?: (out: PassThrough) => unknown;
}

async function taken(
  { principal }: RegisteredCaller,
  { format = "jsonl", meanwhile, ...request }: Taking,
  of = products,
) {
  const reading = await beginReading(principal, "catalogue.read", 0);
  const to = new PassThrough({ highWaterMark: 1 });
  let isBegun = false;
  const begin = (): void => void (isBegun = true);
  const wanted = { format, request: { filters: {}, limit: 200, ...request } };
  const writing = writeList(principal, of, wanted, { to, reading, begin });
  let written = "";
  const read = (async () => {
    for await (const part of to) {
      if (written === "") await meanwhile?.(to);
      written += String(part);
    }
  })().catch(() => undefined);
  await Promise.all([writing, read]);
  return { written, isBegun, isWhole: to.writableFinished };
}

const linesOf = (written: string): Record<string, unknown>[] =>
  written
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("a list that is taken out", () => {
  test("has what its pages have, in their order, and what another organisation has not", async () => {
    const [by] = [await owner(450), await owner(3)];
    const request = { sort: "-priceMinor", fields: "sku,priceMinor", filters: { priceMinor: ["gt.7"] } };
    const { written, isWhole } = await taken(by, request);
    const listed: unknown[] = [];
    for (let cursor: string | undefined, isMore = true; isMore; isMore = cursor !== undefined) {
      const asked = { sort: request.sort, fields: request.fields, priceMinor: ["gt.7"], limit: 100 };
      const page = await records.listProducts({ ...asked, ...(cursor === undefined ? {} : { cursor }) }, by);
      listed.push(...page.items);
      cursor = page.next;
    }
    expect(isWhole).toBe(true);
    expect(listed).toHaveLength(443);
    expect(linesOf(written)).toEqual(listed);
  });

  test("is of CSV with a line of names, also where nothing fits", async () => {
    const by = await owner(1);
    const fields = { fields: "sku,priceMinor,description", include: "category" };
    const [{ id } = { id: "" }] = (await records.listProducts({}, by)).items;
    const { written } = await taken(by, { format: "csv", ...fields });
    expect(written).toBe(
      `"id","version","sku","priceMinor","description","category"\r\n"${id}",1,"sku-000001",1,,\r\n`,
    );
    const none = await taken(by, { format: "csv", fields: "sku", filters: { sku: ["eq.none"] } });
    expect(none.written).toBe('"id","version","sku"\r\n');
  });

  test("is read page by page, each in one state of the database", async () => {
    const by = await owner(300);
    const selected = plainSql`current_setting('transaction_isolation') || current_setting('transaction_read_only') as name`;
    const name = { ...products.columns.name, selected };
    const shown = { ...products, columns: { ...products.columns, name } };
    const { written } = await taken(by, { fields: "name" }, shown);
    expect(linesOf(written).map((line) => line.name)).toEqual(Array(300).fill("repeatable readon"));
  });

  test("goes on behind what it passed over, where a list is refused", async () => {
    const by = await owner(22_600, 2_100);
    const filters = { name: ["eq.rare"] };
    expect(await reason(records.listProducts({ sort: "createdAt", ...filters }, by))).toBe("list_too_costly");
    const { written } = await taken(by, { sort: "createdAt", fields: "priceMinor", filters });
    const prices = linesOf(written).map(({ priceMinor }) => priceMinor);
    expect(prices).toEqual(Array.from({ length: 2_100 }, (_, at) => 20_501 + at));
  }, 60_000);
});

describe("whoever takes it out", () => {
  test("gets no more when they are put out meanwhile, and sees that it is not whole", async () => {
    const by = await owner(1_000);
    const { written, isBegun, isWhole } = await taken(by, { meanwhile: () => auth.logout({}, by) });
    expect([isBegun, isWhole]).toEqual([true, false]);
    expect(linesOf(written.slice(0, written.lastIndexOf("\n"))).length).toBeLessThan(800);
  });

  test("and leaves, is written nothing more", async () => {
    const by = await owner(1_000);
    const { written, isWhole } = await taken(by, { meanwhile: (out) => out.destroy() });
    expect([written.length > 0, isWhole]).toEqual([true, false]);
  });

  test("is refused before anything is written", async () => {
    const by = await owner(1);
    const asked = taken(by, { filters: { name: ["like.x"] } });
    expect(await reason(asked)).toBe("invalid_request");
  });
});
