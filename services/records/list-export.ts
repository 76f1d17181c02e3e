// A whole list as CSV or lines of JSON, written no faster than it is read: a page is in memory, and the next one begins where it ended.
// What fails on the way ends the connection, so that nobody takes a part for the whole.
import { currentRequest } from "encore.dev";
import type { Writable } from "node:stream";
import { NdjsonWriter } from "../../audit/ndjson";
import { goOn, type Reading } from "../../db/acting";
import { askWithin } from "../../db/listing/ask";
import { readListing, type Listing, type ListRequest } from "../../db/listing/listing";
import { fewestOf, shownRows } from "../../db/listing/lists";
import { refuseUnknown } from "../../db/listing/parameters";
import type { ListedRow, Resource } from "../../db/listing/resource";
import { recordList, type RecordPage } from "../../db/listing/statement";
import { withTenant, type TenantScope } from "../../db/tenant";
import { commonErrors } from "../../security/common-errors";
import { endToReader } from "../../security/slow-reader";
import { logger } from "../../telemetry/logger";
import { csvLine } from "./csv";

export type ExportFormat = "jsonl" | "csv";
/** Of records as large as they get these are 4 MB. */
const PAGE = 200;
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
  const asked = new URLSearchParams(meta?.type === "api-call" ? meta.pathAndQuery.split("?")[1] : "");
  const { format = "jsonl", sort, fields, include, deleted } = Object.fromEntries(asked);
  if (format !== "jsonl" && format !== "csv")
    throw commonErrors.invalid_request({ fields: { format: "is csv or jsonl" } });
  if (deleted !== undefined && deleted !== "true" && deleted !== "false")
    throw commonErrors.invalid_request({ fields: { deleted: "is true or false" } });
  const names = Object.keys(resource.columns).filter((name) => asked.has(name));
  const filters = Object.fromEntries(names.map((name) => [name, asked.getAll(name)]));
  const request = { sort, fields, include, deleted: deleted === "true", filters, limit: PAGE };
  readListing(resource, request);
  return { format, request };
}

interface Page {
  listing: Listing;
  page: RecordPage;
}

/** In one state of the database each, so that what is cut off goes on where it was. */
async function* pagesOf<Row extends ListedRow>(
  scope: TenantScope,
  resource: Resource<Row>,
  request: ListRequest,
): AsyncGenerator<Page> {
  for (let cursor: string | undefined; ;) {
    const listing = readListing(resource, { ...request, cursor });
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
  }
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
  const pages = pagesOf(scope, resource, request);
  const first = await pages.next();
  begin();
  try {
    const writer = new NdjsonWriter(to);
    for (let next = first; !next.done; next = await pages.next()) {
      const head = next === first && format === "csv" ? csvLine(columnsOf(next.value.listing)) : "";
      if (!(await writer.write(head + textOf(format, next.value)))) return;
      await goOn(reading);
    }
    await endToReader(to);
  } catch (error) {
    logger("records").error({ err: error }, "an export of records was cut off");
    to.destroy();
  }
}

const columnsOf = ({ fields, includes }: Listing): string[] => [...fields, ...includes];

function textOf(format: ExportFormat, { listing, page }: Page): string {
  const rows = shownRows(listing, page.rows);
  if (format === "jsonl") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const columns = columnsOf(listing);
  return rows.map((row) => csvLine(columns.map((name) => row[name]))).join("");
}
