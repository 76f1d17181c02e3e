// The one cursor of all lists: newest first, a page goes on after the last row of the page before (keyset, not
// OFFSET: rows that come and go meanwhile make no page skip or repeat a row). The position is the row's moment in
// whole microseconds, as Postgres stores it, and its id. A JavaScript Date would cut it to milliseconds and skip rows.
//
//   select id, ${cursorMicros("dead_at")} as "cursorMicros", … where … and ${beforeCursor("dead_at", "id", 2)}
//   order by dead_at desc, id desc limit $4        with  [tenantId, ...cursorParams(cursor), limit + 1]
//   → pageOf(rows, limit)
import { commonErrors } from "../security/common-errors";
import { isUuid } from "./ids";

/** A position in a list: a row's moment and id. */
export interface Cursor {
  /** Microseconds since 1970, decimal digits. */
  micros: string;
  id: string;
}

/** What a row must bring so that the next page can begin after it. */
export interface CursorRow {
  id: string;
  /** Selected with `cursorMicros(column)`. */
  cursorMicros: string;
}

export interface Page<R> {
  rows: R[];
  /** For the caller to send back as it is; absent on the last page. */
  next?: string;
}

const SHAPE = /^(\d{1,16})_([0-9a-f-]{36})$/;

/**
 * Reads the `cursor` of a request; undefined is the first page.
 * @throws APIError invalid_request that names it, when the text is not one that `pageOf` made.
 */
export function parseCursor(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  const [, micros = "", id = ""] = SHAPE.exec(text) ?? [];
  // Above 2^53 the conversion in beforeCursor would no longer be exact; such a moment is in the year 2255.
  if (isUuid(id) && Number.isSafeInteger(Number(micros))) return { micros, id };
  throw commonErrors.invalid_request({
    fields: { cursor: 'cannot be read: send the "next" of the page before as it is, or nothing for the first page' },
  });
}

/** SQL of a timestamptz column's whole microseconds, as text. */
export function cursorMicros(column: string): string {
  return `(extract(epoch from ${column}) * 1000000)::bigint::text`;
}

/**
 * SQL that is true for rows after the cursor in a list "newest first". `at` is the number of the first of the two
 * parameters that cursorParams gives. Written without OR, so that an index over (…, moment, id) serves every page.
 */
export function beforeCursor(moment: string, id: string, at: number): string {
  return `(${moment}, ${id}) < (coalesce('epoch'::timestamptz + $${at}::bigint * interval '1 microsecond', 'infinity'), coalesce($${at + 1}::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))`;
}

/** The two parameters of beforeCursor. */
export function cursorParams(cursor: Cursor | undefined): [string | null, string | null] {
  return [cursor?.micros ?? null, cursor?.id ?? null];
}

/** A page of at most `limit` of the rows. Ask the database for one row more than `limit`: it tells whether there is a next page. */
export function pageOf<R extends CursorRow>(rows: readonly R[], limit: number): Page<R> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  if (last === undefined || rows.length <= limit) return { rows: shown };
  return { rows: shown, next: `${last.cursorMicros}_${last.id}` };
}
