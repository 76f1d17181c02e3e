// Search by meaning, by words, or by both. When the embedder is away, words alone still answer what was asked of both.
import { commonErrors } from "../security/common-errors";
import type { Principal } from "../security/principal";
import { logger } from "../telemetry/logger";
import { errorsTotal } from "../telemetry/metrics";
import { restOf } from "./embedder-rest";
import { errors } from "./errors";
import { EmbedderError, embedUntil, type Embedder } from "./providers/embedder";
import type { SearchCursor, SearchMode } from "./search-cursor";
import { chunkSearch, type FoundChunk, type SearchFilter } from "./store/search";

export type { SearchMode } from "./search-cursor";

/** Longest wait for the query's vector: a cold sentence model needs about one second. */
const EMBED_LIMIT_MS = 10_000;

export interface Search {
  text: string;
  mode: SearchMode;
  filter: SearchFilter;
  k: number;
  /** Where the page before ended. */
  after?: SearchCursor | undefined;
}

export interface Found {
  /** By what was searched: `words` instead of `hybrid` when the embedder did not answer. */
  mode: SearchMode;
  /** The best first. */
  chunks: FoundChunk[];
  /** Where this page ends; undefined on the last. */
  next: SearchCursor | undefined;
}

/**
 * The best `k` chunks of the caller's organisation for a question or some words.
 * @throws APIError embedder_unavailable when the embedder does not answer in time and words cannot stand in for it: meaning
 *   alone was asked for, or the page before was by meaning too
 */
export async function searchChunks(
  principal: Principal,
  { text, mode: asked, filter, k, after }: Search,
  embedder: Embedder,
): Promise<Found> {
  const mode = modeOfPage(asked, after);
  const vector = mode === "words" ? null : await vectorOf(principal, text, embedder);
  if (vector === null && (mode === "vector" || (mode === "hybrid" && after !== undefined)))
    throw errors.embedder_unavailable({ retryAfterSeconds: 5 });
  const hasWords = mode !== "vector";
  const query = { text, model: embedder.model, vector, hasWords, filter, limit: k + 1, after: after ?? null };
  const found = await chunkSearch(principal, query);
  const answered = vector === null ? "words" : mode;
  const last = found.length > k ? found[k - 1] : undefined;
  return {
    mode: answered,
    chunks: found.slice(0, k).map((chunk) => ({ ...chunk, score: Math.round(chunk.score * 1e6) / 1e6 })),
    next:
      last === undefined
        ? undefined
        : { mode: answered, score: last.score, documentId: last.documentId, ordinal: last.ordinal },
  };
}

/** A search goes on by what it began with: when words had to answer for both, they answer its other pages too. */
function modeOfPage(asked: SearchMode, after: SearchCursor | undefined): SearchMode {
  if (after === undefined || after.mode === asked) return asked;
  if (asked === "hybrid" && after.mode === "words") return "words";
  throw commonErrors.invalid_request({ fields: { cursor: `is of a search with mode=${after.mode}` } });
}

async function vectorOf({ tenantId }: Principal, text: string, embedder: Embedder): Promise<number[] | null> {
  const rest = restOf(embedder);
  if (!rest.mayAsk()) {
    errorsTotal.add(1, { type: "embedder" });
    return null;
  }
  const signal = AbortSignal.timeout(EMBED_LIMIT_MS);
  try {
    const [vector] = await embedUntil(embedder, [text], { priority: "interactive", tenantId, signal });
    rest.noteAnswer();
    return vector ?? null;
  } catch (error) {
    if (!(error instanceof EmbedderError)) throw error;
    if (signal.aborted) rest.noteTimeout();
    else rest.noteAnswer(); // a refusal costs nobody any time
    errorsTotal.add(1, { type: "embedder" });
    logger("vectors").warn({ err: error }, "the query could not be embedded: searching by words alone");
    return null;
  }
}
