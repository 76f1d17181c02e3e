// The SQL of hybrid search: one statement, one round trip, under row security.
//
//   near     the contents closest in meaning (vectors.nearest: exact for small tenants, the graph for large ones)
//   words    the contents that hold the words: all of them; when none does, any of them
//   fused    reciprocal rank fusion, sum of 1 / (60 + rank) over the lists, scaled so that first in both is 1
//            (Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet …, SIGIR 2009)
//
// Ranks contents, not chunks: a licence that stands in four hundred documents is one result, shown from the
// document that had it first.
import { tenantQuery, type TenantScope } from "../../db/tenant";
import { toVector } from "../../db/vector";

/** Up to so many chunks of a tenant are all compared; above, the graph is faster than exact (bench in the README). */
export const EXACT_UP_TO = 10_000;
/** Contents each of the two lists contributes; deeper ranks add less than 1/120. */
export const CANDIDATES = 60;

export interface FoundChunk {
  documentId: string;
  source: string;
  title: string;
  /** The headings the chunk stands under, outermost first, joined with " > "; may be empty. */
  heading: string;
  text: string;
  /** 0 < score ≤ 1. */
  score: number;
}

export interface SearchQuery {
  text: string;
  model: string;
  /** Null when no vector could be made: then only words count. */
  vector: readonly number[] | null;
  k: number;
}

const SEARCH = `
with asked as (
  select every, case when every::text like '%!%' then every else replace(every::text, '&', '|')::tsquery end as any_of
  from websearch_to_tsquery('english', $6) as every
), near as (
  select n.content_hash, row_number() over (order by n.distance, n.content_hash) as rank
  from vectors.nearest($1, $2, $3::vector, $4, $5) n
), holding_all as (
  select c.content_hash, max(ts_rank_cd(c.search, a.every)) as weight
  from vectors.chunk c, asked a
  where c.tenant_id = $1 and c.search @@ a.every
  group by c.content_hash
  order by weight desc, c.content_hash
  limit $5
), holding_any as (
  select c.content_hash, max(ts_rank_cd(c.search, a.any_of)) as weight
  from vectors.chunk c, asked a
  where c.tenant_id = $1 and c.search @@ a.any_of and not exists (select from holding_all)
  group by c.content_hash
  order by weight desc, c.content_hash
  limit $5
), words as (
  select h.content_hash, row_number() over (order by h.weight desc, h.content_hash) as rank
  from (select * from holding_all union all select * from holding_any) h
), fused as (
  select r.content_hash, sum(1.0 / (60 + r.rank)) / (2.0 / 61) as score
  from (select * from near union all select * from words) r
  group by r.content_hash
)
select c.document_id as "documentId", d.source, c.title, c.heading, c.content as text, f.score::float8 as score
from fused f
cross join lateral (
  select c.document_id, c.ordinal, c.title, c.heading, c.content from vectors.chunk c
  where c.tenant_id = $1 and c.content_hash = f.content_hash
  order by c.document_id, c.ordinal
  limit 1
) c
join vectors.document d on d.tenant_id = $1 and d.id = c.document_id
order by f.score desc, c.document_id, c.ordinal
limit $7`;

/** The best `k` chunks of the tenant, best first; contents that are equal appear once. */
export async function chunkSearch(scope: TenantScope, query: SearchQuery): Promise<FoundChunk[]> {
  const vector = query.vector === null ? null : toVector(query.vector);
  return tenantQuery<FoundChunk>(scope, SEARCH, [
    scope.tenantId,
    query.model,
    vector,
    EXACT_UP_TO,
    CANDIDATES,
    query.text,
    query.k,
  ]);
}
