// Lists of any kind of record, from the request to the answer; and by which filter a list is found, so that none reads an organisation's
// every record for a page of fifty.
import { DbError } from "../errors";
import type { TenantScope } from "../tenant";
import { commonErrors } from "../../security/common-errors";
import { UnderWay } from "../../security/under-way";
import { askAlone, type Ask } from "./ask";
import { passesOver, readListing, type Condition, type Listing, type ListRequest } from "./listing";
import { refuseUnknown } from "./parameters";
import { shownRecord, type ListedRow, type Resource } from "./resource";
import { FOUND_MAX, recordCountFound, recordList, type ListScope, type RecordPage } from "./statement";

/** For what may have to pass over much: then it is the request that is at fault, and not the database. */
const LIST_TIMEOUT_MS = 1_000;
/** Lists of an organisation that go along their order, of whose filters none finds few: they leave room for others. */
const walks = new UnderWay({ ofOne: 4, inAll: 16 });

/**
 * @template Item what the endpoint says of a record in a list, of which `id`, and `version` where there are several, are always there: the fields
 *   are the ones that the request names
 * @throws APIError list_too_costly when too many records have to be passed over
 */
export async function listRecords<Item extends { id: string }, Row extends ListedRow>(
  scope: TenantScope,
  resource: Resource<Row>,
  request: ListRequest,
  ask: Ask = askAlone(scope),
): Promise<{ items: Item[]; next?: string }> {
  refuseUnknown(resource);
  const listing = readListing(resource, request);
  const { rows, next } = await pageOf({ tenantId: scope.tenantId, ask }, resource, listing);
  const items = shownRows(listing, rows) as unknown as Item[];
  return { items, ...(next === undefined ? {} : { next }) };
}

/** As they are answered: the order may be by fields that nobody asked to see. */
export function shownRows(listing: Listing, rows: RecordPage["rows"]): Record<string, unknown>[] {
  const hidden = listing.sort.map(({ name }) => name).filter((name) => !listing.fields.includes(name));
  return rows.map((row) => {
    for (const name of hidden) delete row[name];
    return shownRecord(row);
  });
}

async function pageOf<Row extends ListedRow>(
  scope: ListScope,
  resource: Resource<Row>,
  listing: Listing,
): Promise<RecordPage> {
  const found = await fewestOf(scope, resource, listing);
  const leave = found === undefined && passesOver(listing) ? enterWalk(scope) : undefined;
  try {
    const page = await recordList(scope, resource, listing, found, { statementTimeoutMs: LIST_TIMEOUT_MS });
    if (page.cutAt !== undefined) throw commonErrors.list_too_costly();
    return page;
  } catch (error) {
    if (error instanceof DbError && error.kind === "statement_timeout")
      throw commonErrors.list_too_costly({ cause: error });
    throw error;
  } finally {
    leave?.();
  }
}

/** The filter that finds few, of which the list is found; undefined where there is none. */
export async function fewestOf<Row extends ListedRow>(
  scope: ListScope,
  resource: Resource<Row>,
  listing: Listing,
): Promise<readonly Condition[] | undefined> {
  const filters = filtersOf(listing);
  const unique = filters.find((conditions) => isOfFew(conditions, listing));
  if (unique !== undefined) return unique;
  // The bin is kept in one order, and gone along in it. Filters of what the order begins with bound the way along it.
  if (listing.ofDeleted || !passesOver(listing)) return undefined;
  const counts = await recordCountFound(scope, resource, filters);
  const fewest = Math.min(...counts);
  return fewest > FOUND_MAX ? undefined : filters[counts.indexOf(fewest)];
}

/** The conditions, by their columns. */
export function filtersOf({ conditions }: Listing): (readonly Condition[])[] {
  const byColumn = new Map<object, Condition[]>();
  for (const condition of conditions)
    byColumn.set(condition.column, [...(byColumn.get(condition.column) ?? []), condition]);
  return [...byColumn.values()];
}

/** Whether it names records: as many as values at most. */
export const isOfFew = (conditions: readonly Condition[], { ofDeleted }: Listing): boolean =>
  conditions.some(
    ({ column: { isUnique }, operator }) =>
      (isUnique === "ever" || (isUnique === "living" && !ofDeleted)) && (operator === "eq" || operator === "in"),
  );

function enterWalk({ tenantId }: TenantScope): () => void {
  const leave = walks.enter(tenantId);
  if (leave !== undefined) return leave;
  throw commonErrors.rate_limited({
    retryAfterSeconds: 1,
    internal: `as many long lists of ${tenantId} as there may be`,
  });
}
