// The rows of a table in pages of about one size, in whatever order the table has them, with a checksum of all. A page ends
// by its bytes, and few rows are asked for at once: rows may be a thousand times as large as those before them.
import type { TableShape, TableColumn } from "./archive-format";
import { isOfServer, storedColumns } from "./catalogue";
import type { DatabaseSession, TextRow } from "./database-session";
import { SetDigest } from "./digest";
import { quoteIdentifier, quoteQualified } from "../infra";

/** From here on a page is whole: more does not make it faster, and the embedded database takes it in one message. */
export const PAGE_BYTES = 1024 * 1024;
const FIRST_ROWS = 50;
/** What memory holds at once, whatever the rows before were like. */
const ROWS_MAX = 100;

const encode = (row: TextRow): string => JSON.stringify(row);

/** What the checksum is of: not what a server decides by itself. */
function digestedPart(columns: readonly TableColumn[]): (row: TextRow, encoded: string) => string {
  const kept = columns.flatMap((column, at) => (isOfServer(column) ? [] : [at]));
  if (kept.length === columns.length) return (_, encoded) => encoded;
  return (row) => JSON.stringify(kept.map((at) => row[at] ?? null));
}

/** Takes lines until they are a page. */
class Page {
  #lines: string[] = [];
  #length = 0;

  constructor(private readonly take: (lines: readonly string[]) => Promise<void>) {}

  async add(line: string): Promise<void> {
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length >= PAGE_BYTES) await this.end();
  }

  async end(): Promise<void> {
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    [this.#lines, this.#length] = [[], 0];
    await this.take(lines);
  }
}

/**
 * Hands each page to `take`, rows as lines of JSON. Memory holds one page and what is fetched at once.
 * @returns the checksum over all rows
 */
export async function eachPage(
  session: DatabaseSession,
  table: TableShape,
  take: (lines: readonly string[]) => Promise<void>,
): Promise<SetDigest> {
  const columns = storedColumns(table);
  const partOf = digestedPart(columns);
  const digest = new SetDigest();
  const page = new Page(take);
  const list = columns.map(({ name }) => `${quoteIdentifier(name)}::text`).join(", ");
  await session.query(`declare groundwork_rows no scroll cursor for select ${list} from ${quoteQualified(table)}`);
  for (let size = FIRST_ROWS; ;) {
    const rows = await session.query(`fetch ${Math.trunc(size)} from groundwork_rows`);
    let length = 0;
    for (const row of rows) {
      const line = encode(row);
      digest.add(partOf(row, line));
      length += line.length;
      await page.add(line);
    }
    if (rows.length < size) break;
    size = Math.max(1, Math.min(ROWS_MAX, size * 2, Math.floor((PAGE_BYTES / length) * rows.length)));
  }
  await page.end();
  await session.query("close groundwork_rows");
  return digest;
}
