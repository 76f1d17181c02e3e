// The endpoint of search.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { parseInput } from "../../security/input";
import { currentPrincipal } from "../../security/principal";
import { activeEmbedder } from "../active-embedder";
import { searchInput } from "../input";
import { searchChunks } from "../search";
import { cursorText } from "../search-cursor";
import type { FoundChunk } from "../store/search";
import { embedTexts as embed } from "../text-embedding";

interface SearchRequest {
  /** A question or some words; "quoted words" and -excluded ones as in web search. */
  q: Query<string & MinLen<1> & MaxLen<1000>>;
  /** How many results, 10 if not given. */
  k?: Query<number & Min<1> & Max<50>>;
  /** By meaning (`vector`), by words, or by both: `hybrid` if not given. */
  mode?: Query<"hybrid" | "vector" | "words">;
  /** In the document of exactly this source. */
  source?: Query<string & MinLen<1> & MaxLen<512>>;
  /** In documents whose source begins so. */
  sourcePrefix?: Query<string & MinLen<1> & MaxLen<512>>;
  /** A JSON object: in documents whose metadata has all of its values. */
  metadata?: Query<string & MinLen<2> & MaxLen<4096>>;
  /** `next` of the page before; no page goes beyond the 120 best. */
  cursor?: Query<string & MinLen<1> & MaxLen<100>>;
  /** Whether each result says why it is where it is. */
  explain?: Query<boolean>;
}

interface Explanation {
  /** Its place by meaning, from 1; absent when it is not among the nearest 60. */
  vectorRank?: number;
  /** Cosine distance to the question, 0 to 2. */
  distance?: number;
  /** How it was found by meaning: all compared, or by the graph, which may miss one in a hundred. */
  vectorPlan?: "exact" | "graph";
  /** Its place by words, from 1; absent when it is not among the best 60. */
  wordsRank?: number;
  /** Postgres' ts_rank_cd; comparable within one answer only. */
  weight?: number;
}

interface SearchResult {
  documentId: string;
  source: string;
  /** Of the document. */
  title: string;
  /** The headings the piece stands under, outermost first, joined with " > "; may be empty. */
  heading: string;
  /** The piece's place in its document, from 0. */
  chunk: number;
  text: string;
  /** The part of the text that fits the words best, for a list. */
  snippet: string;
  /** 0 to 1; comparable within one answer only. */
  score: number;
  explain?: Explanation;
}

interface SearchResponse {
  /** By what was searched: `words` instead of `hybrid` when the embedder did not answer in time: asking again later may find more. */
  mode: "hybrid" | "vector" | "words";
  results: SearchResult[];
  /** Absent on the last page. */
  next?: string;
}

/** The pieces of the organisation's documents that fit a question best, by meaning and by words. */
export const search = api(
  { expose: true, auth: true, method: "GET", path: "/vectors/search", tags: ["can:document.read", "limit:search"] },
  async ({ k, explain, ...req }: SearchRequest): Promise<SearchResponse> => {
    const { q, mode, cursor, ...filter } = parseInput(searchInput, req);
    const asked = { text: q, mode, filter, k: Math.floor(k ?? 10), after: cursor };
    const found = await searchChunks(currentPrincipal(), asked, activeEmbedder());
    return {
      mode: found.mode,
      results: found.chunks.map((chunk) => shownResult(chunk, explain === true)),
      ...(found.next === undefined ? {} : { next: cursorText(found.next) }),
    };
  },
);

function shownResult(chunk: FoundChunk, isExplained: boolean): SearchResult {
  const { documentId, source, title, heading, ordinal, text, snippet, score } = chunk;
  const shown = { documentId, source, title, heading, chunk: ordinal, text, snippet, score };
  return isExplained ? { ...shown, explain: explanationOf(chunk) } : shown;
}

function explanationOf({ nearRank, distance, byGraph, wordsRank, weight }: FoundChunk): Explanation {
  return {
    ...(nearRank === null || distance === null
      ? {}
      : { vectorRank: nearRank, distance, vectorPlan: byGraph ? ("graph" as const) : ("exact" as const) }),
    ...(wordsRank === null || weight === null ? {} : { wordsRank, weight }),
  };
}

interface EmbedRequest {
  texts: string[];
}

interface EmbedResponse {
  model: string;
  vectors: number[][];
}

/** Texts to vectors by this installation's embedder, for services that have no documents of it; searches go before. */
export const embedTexts = api(
  { expose: false, method: "POST", path: "/vectors/embed" },
  async ({ texts }: EmbedRequest): Promise<EmbedResponse> => {
    const embedder = activeEmbedder();
    return { model: embedder.model, vectors: await embed(texts, embedder) };
  },
);
