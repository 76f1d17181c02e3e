import { describe, expect, test } from "vitest";
import { reasonOf } from "../../security/errors";
import {
  beforeCursor,
  cursorMicros,
  cursorParams,
  pageOf,
  parseCursor,
  type Cursor,
  type CursorRow,
  type Page,
} from "../cursor";
import { newId } from "../ids";
import { systemQuery } from "../tenant";

type Row = CursorRow & { name: string };

/** Rows of one millisecond: every microsecond twice, so that the id decides as well; and one of long ago. */
const ROWS = Array.from({ length: 40 }, (_, index) => ({
  id: newId(),
  moment:
    index === 39 ? "1970-01-01T00:00:00.000001Z" : `2026-11-28T10:00:00.123${String(index >> 1).padStart(3, "0")}Z`,
  name: `row ${index}`,
}));

function pageAfter(cursor: Cursor | undefined, limit: number): Promise<Row[]> {
  return systemQuery<Row>(
    "test",
    `select id, name, ${cursorMicros("moment")} as "cursorMicros"
     from unnest($1::uuid[], $2::timestamptz[], $3::text[]) as row(id, moment, name)
     where ${beforeCursor("moment", "id", 4)} order by moment desc, id desc limit $6`,
    [
      ROWS.map(({ id }) => id),
      ROWS.map(({ moment }) => moment),
      ROWS.map(({ name }) => name),
      ...cursorParams(cursor),
      limit + 1,
    ],
  );
}

describe("a list in pages", () => {
  test.each([1, 7, 39, 40, 41])("of %i rows gives every row once, also those of one millisecond", async (limit) => {
    const seen: string[] = [];
    let pages = 0;
    for (let next: string | undefined, isFirst = true; isFirst || next !== undefined; isFirst = false) {
      const page: Page<Row> = pageOf(await pageAfter(parseCursor(next), limit), limit);
      expect(page.rows.length).toBeGreaterThan(0);
      seen.push(...page.rows.map(({ name }) => name));
      pages++;
      next = page.next;
    }
    const newestFirst = ROWS.slice().sort((a, b) => (a.moment + a.id < b.moment + b.id ? 1 : -1));
    expect(seen).toEqual(newestFirst.map(({ name }) => name));
    expect(pages).toBe(Math.ceil(ROWS.length / limit));
  });

  test("of no rows has no next page", () => {
    expect(pageOf([], 10)).toEqual({ rows: [] });
  });
});

describe("a cursor", () => {
  const id = newId();

  test("is read as it was written, to the microsecond", () => {
    expect(parseCursor(`1796000000123456_${id}`)).toEqual({ micros: "1796000000123456", id });
    expect(parseCursor(undefined)).toBeUndefined();
  });

  const unreadable = [
    "",
    " ",
    "nonsense",
    id,
    "1796000000123456",
    `1796000000123456_${id}0`,
    `1796000000123456_${"0".repeat(36)}`,
    `-1_${id}`,
    `9007199254740993_${id}`,
    `99999999999999999999_${id}`,
    `1e3_${id}`,
    `2026-11-28T10:00:00.123Z_${id}`,
    `Sat Nov 28 2026 10:00:00 GMT+0000 (Coordinated Universal Time)_${id}`,
    `1796000000123456_${id}\n`,
    `1796000000123456_${id}\u0000`,
    `1796000000123456_${id}' or '1'='1`,
    "_".repeat(100_000),
    "1".repeat(100_000),
  ];
  test.each(unreadable.map((text) => [text.slice(0, 80), text]))(
    "that cannot be read is a 400 that names its field: %j",
    (_, text) => {
      let error: unknown;
      try {
        parseCursor(text);
      } catch (thrown) {
        error = thrown;
      }
      expect(reasonOf(error)).toBe("invalid_request");
      expect(error).toMatchObject({ details: { fields: { cursor: expect.stringContaining("cannot be read") } } });
    },
  );
});
