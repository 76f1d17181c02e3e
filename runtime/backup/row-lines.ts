// Lines of rows as an archive has them, piece by piece: how large an entry is says its file, which may be anybody's.
import { constants } from "node:buffer";
import { z } from "zod";
import { InfraError } from "../infra";
import type { ArchiveEntry } from "./archive-reader";
import type { TextRow } from "./database-session";
import { PAGE_BYTES } from "./table-rows";

const ROWS_MAX = 100;
const NEWLINE = 0x0a;

const texts = z.array(z.string().nullable());

function rowOf(entry: string, line: Buffer): TextRow {
  try {
    return texts.parse(JSON.parse(line.toString("utf8")));
  } catch {
    throw new InfraError(`${entry} of the backup has a row that is no list of texts: nothing was restored from it`);
  }
}

async function* linesOf({ name, body }: ArchiveEntry): AsyncGenerator<Buffer> {
  let begun: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to >= 0; from = to + 1, to = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...begun, chunk.subarray(from, to)]);
      [begun, length] = [[], 0];
    }
    begun.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > constants.MAX_STRING_LENGTH)
      throw new InfraError(`${name} of the backup has a row that is larger than any row can be`);
  }
  if (length > 0) throw new InfraError(`${name} of the backup ends in the middle of a row`);
}

/**
 * At most a hundred rows or about a megabyte at once.
 * @throws InfraError where a line is no row
 */
export async function eachRows(entry: ArchiveEntry, take: (rows: TextRow[]) => Promise<void>): Promise<void> {
  let rows: TextRow[] = [];
  let length = 0;
  for await (const line of linesOf(entry)) {
    rows.push(rowOf(entry.name, line));
    length += line.length;
    if (rows.length < ROWS_MAX && length < PAGE_BYTES) continue;
    await take(rows);
    [rows, length] = [[], 0];
  }
  if (rows.length > 0) await take(rows);
}
