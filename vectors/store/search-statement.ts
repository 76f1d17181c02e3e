// The SQL of search: one statement, one round trip, under row security.
//
//   among    the documents that fit the filter; null when there is none. More than AMONG_MAX are not named: then the filter
//            goes to both lists as it is, and they join it
//   near     the contents closest in meaning (vectors.nearest: all compared for small tenants, the graph for large ones)
//   words    the contents that hold the words (vectors.find_words: by index): all of them; when none does, any of them; and of
//            each content the chunk that fits them best: of equal contents another may stand under a title that has none
//   fused    reciprocal rank fusion, sum of 1 / (60 + rank) over the lists, scaled so that first in each is 1
//            (Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet …, SIGIR 2009)
//
// Ranks contents, not chunks: a licence that stands in four hundred documents is one result, shown from where words found it,
// else from the document that had it first.
import { toVector } from "../../db/vector";

/** Tenants with up to so many chunks are compared exactly: cheaper and exact (docs/adr/0015). */
export const EXACT_UP_TO = 10_000;
/** Contents each of the two lists contributes; deeper ranks add less than 1/120. No page goes beyond them. */
export const CANDIDATES = 60;
/** Of the chunks with a common word so many are ranked, and as many with it in title or headings. */
const RANKED = 300;
/** A filter that fits more documents than this is joined: as an array, they would be gone through for each row that is looked at. */
export const AMONG_MAX = 5_000;

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
  /** Null: from the best on; else what comes after this result. */
  after: SearchPlace | null;
}

/** Where a result stands among all of a search. */
export interface SearchPlace {
  score: number;
  documentId: string;
  ordinal: number;
}

const IS_FILTERED = "($9::text is not null or $10::text is not null or $11::jsonb is not null)";
const FITS = `($9::text is null or d.source = $9) and ($10::text is null or starts_with(d.source, $10)) and ($11::jsonb is null or d.metadata @> $11)`;

const SEARCH = `
with fitting as materialized (
  select case when ${IS_FILTERED} then array(
    select d.id from vectors.document d where d.tenant_id = $1 and ${FITS} limit ${AMONG_MAX + 1}) end as ids
), among as materialized (
  select case when cardinality(f.ids) <= ${AMONG_MAX} then f.ids end as ids,
         case when cardinality(f.ids) > ${AMONG_MAX} then $10::text end as prefix,
         case when cardinality(f.ids) > ${AMONG_MAX} then $11::jsonb end as holding
  from fitting f
), near as (
  -- A row that comparing all found too is not the graph's.
  select n.content_hash, min(n.distance) as distance, bool_and(n.by_graph) as by_graph,
         row_number() over (order by min(n.distance), n.content_hash) as rank
  from among a, vectors.nearest($1, $2, $3::vector, $4, $5, a.ids, a.prefix, a.holding) n
  group by n.content_hash
), words as (
  select w.content_hash, w.weight, w.document_id, w.ordinal,
         row_number() over (order by w.weight desc, w.content_hash) as rank
  from among a, vectors.find_words($6, a.ids, ${RANKED}, $5, a.prefix, a.holding) w
), fused as materialized (
  -- Of its own: "coalesce", which the full join makes of the hash, is not leakproof, and would keep chunks from their index.
  select content_hash, n.rank as near_rank, n.distance, n.by_graph, w.rank as words_rank, w.weight, w.document_id, w.ordinal,
         ((coalesce(1.0 / (60 + n.rank), 0) + coalesce(1.0 / (60 + w.rank), 0)) * 61 / $12::integer)::float8 as score
  from near n full join words w using (content_hash)
)
select page.*, ts_headline('english', page.text, websearch_to_tsquery('english', $13), 'MaxWords=40, MinWords=20, StartSel="", StopSel=""') as snippet
from (
  select c.document_id as "documentId", d.source, c.title, c.heading, c.ordinal, c.content as text,
         f.score, f.near_rank::integer as "nearRank", f.distance, f.by_graph as "byGraph",
         f.words_rank::integer as "wordsRank", f.weight::float8 as weight
  from fused f
  cross join lateral (
    select c.document_id, c.ordinal, c.title, c.heading, c.content from vectors.chunk c
    where c.tenant_id = $1 and c.content_hash = f.content_hash
      and case
        when f.document_id is not null then c.document_id = f.document_id and c.ordinal = f.ordinal
        when ${IS_FILTERED} then exists (
          select from vectors.document d where d.tenant_id = $1 and d.id = c.document_id and ${FITS})
        else true end
    -- As a row: by the columns, the planner walks the primary key through all of the tenant to meet the content.
    order by row(c.document_id, c.ordinal)
    limit 1
  ) c
  -- After the chunks, whatever the planner knows: in a database without statistics it began with all documents.
  cross join lateral (select d.source from vectors.document d where d.tenant_id = $1 and d.id = c.document_id offset 0) d
  where $8::float8 is null or f.score < $8
    or (f.score = $8 and row(c.document_id, c.ordinal) > row($14::uuid, $15::integer))
  order by f.score desc, c.document_id, c.ordinal
  limit $7
) page
order by page.score desc, page."documentId", page.ordinal`;

/** The search as a statement: for chunkSearch, and for those who measure it. */
export function searchStatement(tenantId: string, query: SearchQuery): { text: string; values: unknown[] } {
  const { vector, hasWords, filter, after } = query;
  const values = [
    tenantId,
    query.model,
    vector === null ? null : toVector(vector),
    EXACT_UP_TO,
    CANDIDATES,
    hasWords ? query.text : null,
    query.limit,
    after?.score ?? null,
    filter.source ?? null,
    filter.sourcePrefix ?? null,
    // Every document's metadata holds nothing.
    Object.keys(filter.metadata ?? {}).length === 0 ? null : filter.metadata,
    vector === null || !hasWords ? 1 : 2,
    query.text,
    after?.documentId ?? null,
    after?.ordinal ?? null,
  ];
  return { text: SEARCH, values };
}
