// A whole list as CSV or lines of JSON, written no faster than it is read: a page is in memory, and the next one begins where it ended.
// What fails on the way ends the connection, so that nobody takes a part for the whole.
import { currentRequest } from "encore.dev";
import type { Writable } from "node:stream";
import { setImmediate as othersTurn } from "node:timers/promises";
import { NdjsonWriter } from "../../audit/ndjson";
import { goOn, type Reading } from "../../db/acting";
import { askWithin } from "../../db/listing/ask";
import { readListing, type Listing, type ListRequest } from "../../db/listing/listing";
import { fewestOf, shownRows } from "../../db/listing/lists";
import { askedBy, refuseUnknown } from "../../db/listing/parameters";
import type { ListedRow, Resource } from "../../db/listing/resource";
import { recordList, type RecordPage } from "../../db/listing/statement";
import { withTenant, type TenantScope } from "../../db/tenant";
import { commonErrors } from "../../security/common-errors";
import { endToReader } from "../../security/slow-reader";
import { logger } from "../../telemetry/logger";
import { csvLine } from "./csv";

export type ExportFormat = "jsonl" | "csv";
/** Records of a page: it is read at once, and nobody else has a turn meanwhile. */
const PAGE_FIRST = 10;
const PAGE_MAX = 200;
/** What comes with a record may be a hundred times as much: accounts of a transaction's hundred entries are 100 kB. */
const PAGE_INCLUDING_MAX = 20;
/** So long a page should be, as the records of the one before are. */
const PAGE_CHARS = 500_000;
/** Behind so much others have a turn. Of no letter these are more than 192 kB. */
const PIECE_CHARS = 64_000;
/** A page is for whoever waits longer than for a list: it may pass over much, and goes on behind that. */
const STATEMENT_TIMEOUT_MS = 5_000;
const PARAMETERS = ["format", "sort", "fields", "include", "deleted"] as const;

export interface ListExport {
  format: ExportFormat;
  request: ListRequest;
}

/** What the request's address asks for, by the parameters of the list. @throws APIError invalid_request that names the parameter */
export function readExport<Row extends ListedRow>(resource: Resource<Row>): ListExport {
  refuseUnknown(resource, PARAMETERS);
  const meta = currentRequest();
  const asked = askedBy(meta?.type === "api-call" ? meta.pathAndQuery : "");
  const { format = "jsonl", sort, fields, include, deleted } = Object.fromEntries(asked);
  if (format !== "jsonl" && format !== "csv")
    throw commonErrors.invalid_request({ fields: { format: "is csv or jsonl" } });
  if (deleted !== undefined && deleted !== "true" && deleted !== "false")
    throw commonErrors.invalid_request({ fields: { deleted: "is true or false" } });
  const names = Object.keys(resource.columns).filter((name) => asked.has(name));
  const filters = Object.fromEntries(names.map((name) => [name, asked.getAll(name)]));
  const request = { sort, fields, include, deleted: deleted === "true", filters, limit: PAGE_FIRST };
  readListing(resource, request);
  return { format, request };
}

interface Page {
  listing: Listing;
  page: RecordPage;
}

/**
 * In one state of the database each, so that what is cut off goes on where it was.
 * @param charsOf how long the page was, once it is written
 */
async function* pagesOf<Row extends ListedRow>(
  scope: TenantScope,
  resource: Resource<Row>,
  request: ListRequest,
  charsOf: () => number,
): AsyncGenerator<Page> {
  let limit = PAGE_FIRST;
  for (let cursor: string | undefined; ;) {
    const listing = readListing(resource, { ...request, limit, cursor });
    const page = await withTenant(
      scope,
      async (tx) => {
        const asking = { tenantId: scope.tenantId, ask: askWithin(tx) };
        return recordList(asking, resource, listing, await fewestOf(asking, resource, listing));
      },
      { isSnapshot: true, statementTimeoutMs: STATEMENT_TIMEOUT_MS },
    );
    yield { listing, page };
    cursor = page.next ?? page.cutAt;
    if (cursor === undefined) return;
    limit = nextLimit(listing, page.rows.length, charsOf());
  }
}

function nextLimit({ limit, includes }: Listing, rows: number, chars: number): number {
  const fitting = chars === 0 ? PAGE_MAX : Math.max(1, Math.floor((PAGE_CHARS * rows) / chars));
  return Math.min(2 * limit, fitting, includes.length > 0 ? PAGE_INCLUDING_MAX : PAGE_MAX);
}

/**
 * Resolves when all is written or the reader has left.
 * @param begin says in headers what comes; what the first page is refused for is told before that, as any request's
 */
export async function writeList<Row extends ListedRow>(
  scope: TenantScope,
  resource: Resource<Row>,
  { format, request }: ListExport,
  { to, reading, begin }: { to: Writable; reading: Reading; begin: () => void },
): Promise<void> {
  let chars = 0;
  const pages = pagesOf(scope, resource, request, () => chars);
  const first = await pages.next();
  begin();
  try {
    const writer = new NdjsonWriter(to);
    for (let next = first; !next.done; next = await pages.next()) {
      chars = 0;
      for (const piece of piecesOf(format, next.value, next === first)) {
        chars += piece.length;
        if (!(await writer.write(piece))) return;
        await othersTurn();
      }
      await goOn(reading);
    }
    await endToReader(to);
  } catch (error) {
    logger("records").error({ err: error }, "an export of records was cut off");
    to.destroy();
  }
}

const columnsOf = ({ fields, includes }: Listing): string[] => [...fields, ...includes];

/** Whole lines. */
function* piecesOf(format: ExportFormat, { listing, page }: Page, isFirst: boolean): Generator<string> {
  const columns = columnsOf(listing);
  const isCsv = format === "csv";
  let piece = isCsv && isFirst ? csvLine(columns) : "";
  for (const row of shownRows(listing, page.rows)) {
    piece += isCsv ? csvLine(columns.map((name) => row[name])) : `${JSON.stringify(row)}\n`;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}
