// Search by meaning, by words, or by both. When the embedder is away, words alone still answer what was asked of both.
import type { Principal } from "../security/principal";
import { logger } from "../telemetry/logger";
import { errorsTotal } from "../telemetry/metrics";
import { errors } from "./errors";
import { EmbedderError, givenUp, type Embedder } from "./providers/embedder";
import { chunkSearch, type FoundChunk, type SearchFilter } from "./store/search";

/** Longest wait for the query's vector: a cold sentence model needs about one second. */
const EMBED_LIMIT_MS = 10_000;

/** hybrid: by meaning and by words. */
export type SearchMode = "hybrid" | "vector" | "words";

export interface Search {
  text: string;
  mode: SearchMode;
  filter: SearchFilter;
  k: number;
  /** So many results are passed over. */
  offset: number;
}

export interface Found {
  /** By what was searched: `words` instead of `hybrid` when the embedder did not answer. */
  mode: SearchMode;
  /** The best first. */
  chunks: FoundChunk[];
  /** The offset of the next page; undefined on the last. */
  next: number | undefined;
}

/**
 * The best `k` chunks of the caller's organisation for a question or some words.
 * @throws APIError embedder_unavailable when meaning alone was asked for and the embedder does not answer in time
 */
export async function searchChunks(
  principal: Principal,
  { text, mode, filter, k, offset }: Search,
  embedder: Embedder,
): Promise<Found> {
  const vector = mode === "words" ? null : await vectorOf(text, embedder);
  if (mode === "vector" && vector === null) throw errors.embedder_unavailable({ retryAfterSeconds: 5 });
  const hasWords = mode !== "vector";
  const query = { text, model: embedder.model, vector, hasWords, filter, limit: k + 1, offset };
  const found = await chunkSearch(principal, query);
  const chunks = found.slice(0, k).map((chunk) => ({ ...chunk, score: Math.round(chunk.score * 1e6) / 1e6 }));
  return {
    mode: vector === null ? "words" : mode,
    chunks,
    next: found.length > k ? offset + k : undefined,
  };
}

async function vectorOf(text: string, embedder: Embedder): Promise<number[] | null> {
  const signal = AbortSignal.timeout(EMBED_LIMIT_MS);
  try {
    // The signal by itself too: whoever asks is answered in time also by an embedder that does not heed it.
    const over = new Promise<never>((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(givenUp(signal)), { once: true }),
    );
    const [vector] = await Promise.race([embedder.embed([text], { priority: "interactive", signal }), over]);
    return vector ?? null;
  } catch (error) {
    if (!(error instanceof EmbedderError)) throw error;
    errorsTotal.add(1, { type: "embedder" });
    logger("vectors").warn({ err: error }, "the query could not be embedded: searching by words alone");
    return null;
  }
}
