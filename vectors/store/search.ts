// The search of a tenant's chunks, by the statement of search-statement.ts.
import { tenantQuery, type TenantScope } from "../../db/tenant";
import { searchStatement, type FoundChunk, type SearchQuery } from "./search-statement";

export { EXACT_UP_TO, type FoundChunk, type SearchFilter } from "./search-statement";

/** The best chunks of the tenant, best first; contents that are equal appear once. */
export async function chunkSearch(scope: TenantScope, query: SearchQuery): Promise<FoundChunk[]> {
  const { text, values } = searchStatement(scope.tenantId, query);
  return tenantQuery<FoundChunk>(scope, text, values);
}
