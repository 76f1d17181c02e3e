// The SQL of search: one statement, one round trip, under row security.
//
//   among    the documents that fit the filter; null when there is none
//   near     the contents closest in meaning (vectors.nearest: all compared for small tenants, the graph for large ones)
//   words    the contents that hold the words (vectors.find_words: by index): all of them; when none does, any of them
//   fused    reciprocal rank fusion, sum of 1 / (60 + rank) over the lists, scaled so that first in each is 1
//            (Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet …, SIGIR 2009)
//
// Ranks contents, not chunks: a licence that stands in four hundred documents is one result, shown from the
// document that had it first.
import { toVector } from "../../db/vector";

/** Tenants with up to so many chunks are compared exactly: cheaper and exact (docs/adr/0015). */
export const EXACT_UP_TO = 10_000;
/** Contents each of the two lists contributes; deeper ranks add less than 1/120. No page goes beyond them. */
export const CANDIDATES = 60;
/** Of the chunks with a common word so many are ranked, and as many with it in title or headings. */
const RANKED = 300;

export interface FoundChunk {
  documentId: string;
  source: string;
  title: string;
  /** The headings the chunk stands under, outermost first, joined with " > "; may be empty. */
  heading: string;
  /** Its place in the document, from 0. */
  ordinal: number;
  text: string;
  /** The part of the text that fits the words best. */
  snippet: string;
  /** 0 < score ≤ 1. */
  score: number;
  /** Its places in the two lists, from 1, and what they stand by; null in a list that has it not. */
  nearRank: number | null;
  distance: number | null;
  byGraph: boolean | null;
  wordsRank: number | null;
  weight: number | null;
}

export interface SearchFilter {
  source?: string | undefined;
  sourcePrefix?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
}

export interface SearchQuery {
  text: string;
  model: string;
  /** Null: only words count. */
  vector: readonly number[] | null;
  /** False: only the vector counts. */
  hasWords: boolean;
  filter: SearchFilter;
  limit: number;
  /** So many results are passed over. */
  offset: number;
}

const SEARCH = `
with among as (
  select case when $9::text is null and $10::text is null and $11::jsonb is null then null else array(
    select d.id from vectors.document d
    where d.tenant_id = $1 and ($9::text is null or d.source = $9) and ($10::text is null or starts_with(d.source, $10))
      and ($11::jsonb is null or d.metadata @> $11)) end as ids
), near as (
  select n.content_hash, min(n.distance) as distance, bool_or(n.by_graph) as by_graph,
         row_number() over (order by min(n.distance), n.content_hash) as rank
  from among a, vectors.nearest($1, $2, $3::vector, $4, $5, a.ids) n
  group by n.content_hash
), words as (
  select w.content_hash, w.weight, row_number() over (order by w.weight desc, w.content_hash) as rank
  from among a, vectors.find_words($6, a.ids, ${RANKED}, $5) w
), fused as (
  select content_hash, n.rank as near_rank, n.distance, n.by_graph, w.rank as words_rank, w.weight,
         (coalesce(1.0 / (60 + n.rank), 0) + coalesce(1.0 / (60 + w.rank), 0)) * 61 / $12::integer as score
  from near n full join words w using (content_hash)
)
select page.*, ts_headline('english', page.text, websearch_to_tsquery('english', $13), 'MaxWords=40, MinWords=20, StartSel="", StopSel=""') as snippet
from (
  select c.document_id as "documentId", d.source, c.title, c.heading, c.ordinal, c.content as text,
         f.score::float8 as score, f.near_rank::integer as "nearRank", f.distance, f.by_graph as "byGraph",
         f.words_rank::integer as "wordsRank", f.weight::float8 as weight
  from fused f
  cross join among a
  cross join lateral (
    select c.document_id, c.ordinal, c.title, c.heading, c.content from vectors.chunk c
    where c.tenant_id = $1 and c.content_hash = f.content_hash and (a.ids is null or c.document_id = any(a.ids))
    -- As a row: by the columns, the planner walks the primary key through all of the tenant to meet the content.
    order by row(c.document_id, c.ordinal)
    limit 1
  ) c
  join vectors.document d on d.tenant_id = $1 and d.id = c.document_id
  order by f.score desc, c.document_id, c.ordinal
  limit $7 offset $8
) page
order by page.score desc, page."documentId", page.ordinal`;

/** The search as a statement: for chunkSearch, and for those who measure it. */
export function searchStatement(tenantId: string, query: SearchQuery): { text: string; values: unknown[] } {
  const { vector, hasWords, filter } = query;
  const values = [
    tenantId,
    query.model,
    vector === null ? null : toVector(vector),
    EXACT_UP_TO,
    CANDIDATES,
    hasWords ? query.text : null,
    query.limit,
    query.offset,
    filter.source ?? null,
    filter.sourcePrefix ?? null,
    filter.metadata ?? null,
    vector === null || !hasWords ? 1 : 2,
    query.text,
  ];
  return { text: SEARCH, values };
}
