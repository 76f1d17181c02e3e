// The rows of a table in pages of about one size, in whatever order the table has them, with a checksum of all.
import type { TableShape, TableColumn } from "./archive-format";
import { isOfServer, storedColumns } from "./catalogue";
import type { DatabaseSession, TextRow } from "./database-session";
import { SetDigest } from "./digest";
import { quoteIdentifier, quoteQualified } from "../infra";

/** What a page should have: more does not make it faster, and the embedded database takes it in one message. */
const PAGE_BYTES = 1024 * 1024;
const FIRST_ROWS = 50;
const ROWS_MAX = 5_000;

const encode = (row: TextRow): string => JSON.stringify(row);

/** What the checksum is of: not what a server decides by itself. */
function digestedPart(columns: readonly TableColumn[]): (row: TextRow, encoded: string) => string {
  const kept = columns.flatMap((column, at) => (isOfServer(column) ? [] : [at]));
  if (kept.length === columns.length) return (_, encoded) => encoded;
  return (row) => JSON.stringify(kept.map((at) => row[at] ?? null));
}

/**
 * Hands each page to `take` as lines of JSON. Memory holds one page; a page may be larger where rows suddenly are.
 * @returns the checksum over all rows
 */
export async function eachPage(
  session: DatabaseSession,
  table: TableShape,
  take: (lines: string, rows: number) => Promise<void>,
): Promise<SetDigest> {
  const columns = storedColumns(table);
  const partOf = digestedPart(columns);
  const digest = new SetDigest();
  const list = columns.map(({ name }) => `${quoteIdentifier(name)}::text`).join(", ");
  await session.query(`declare groundwork_rows no scroll cursor for select ${list} from ${quoteQualified(table)}`);
  for (let size = FIRST_ROWS; ;) {
    const rows = await session.query(`fetch ${Math.trunc(size)} from groundwork_rows`);
    if (rows.length === 0) break;
    const encoded = rows.map(encode);
    encoded.forEach((line, at) => digest.add(partOf(rows[at] as TextRow, line)));
    const lines = `${encoded.join("\n")}\n`;
    await take(lines, rows.length);
    if (rows.length < size) break;
    size = Math.max(1, Math.min(ROWS_MAX, size * 2, Math.floor((PAGE_BYTES / lines.length) * rows.length)));
  }
  await session.query("close groundwork_rows");
  return digest;
}
