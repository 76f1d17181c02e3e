// Lists of any kind of record, from the request to the answer.
import type { TenantScope } from "../../db/tenant";
import { readListing, type ListRequest } from "./listing";
import { shownRecord, type RecordRow, type Resource } from "./resource";
import { recordList } from "./store/list";

/**
 * @template Item what the endpoint says of a record in a list, of which `id` and `version` alone are always there: the fields
 *   are the ones that the request names
 */
export async function listRecords<Item extends { id: string; version: number }, Row extends RecordRow>(
  scope: TenantScope,
  resource: Resource<Row>,
  request: ListRequest,
): Promise<{ items: Item[]; next?: string }> {
  const listing = readListing(resource, request);
  const { rows, next } = await recordList(scope, resource, listing);
  // The order may be by fields that nobody asked to see.
  const hidden = listing.sort.map(({ name }) => name).filter((name) => !listing.fields.includes(name));
  const items = rows.map((row) => {
    for (const name of hidden) delete row[name];
    return shownRecord(row) as unknown as Item;
  });
  return { items, ...(next === undefined ? {} : { next }) };
}
