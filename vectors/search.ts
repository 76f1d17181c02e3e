// Hybrid search: meaning and words. When the embedder is away, words alone still answer.
import type { Principal } from "../security/principal";
import { logger } from "../telemetry/logger";
import { errorsTotal } from "../telemetry/metrics";
import { EmbedderError, type Embedder } from "./providers/embedder";
import { chunkSearch, type FoundChunk } from "./store/search";

/** Longest wait for the query's vector: a cold sentence model needs about one second. */
const EMBED_LIMIT_MS = 10_000;

export interface Found {
  /** By meaning and by words, or by words alone because the embedder did not answer. */
  mode: "hybrid" | "keyword";
  /** The best first. */
  chunks: FoundChunk[];
}

/** The best `k` chunks of the caller's organisation for a question or some words. */
export async function searchChunks(
  principal: Principal,
  query: { text: string; k: number },
  embedder: Embedder,
): Promise<Found> {
  const vector = await vectorOf(query.text, embedder);
  const found = await chunkSearch(principal, { ...query, vector, model: embedder.model });
  const chunks = found.map((chunk) => ({ ...chunk, score: Math.round(chunk.score * 1e6) / 1e6 }));
  return { mode: vector === null ? "keyword" : "hybrid", chunks };
}

async function vectorOf(text: string, embedder: Embedder): Promise<number[] | null> {
  try {
    const [vector] = await embedder.embed([text], {
      priority: "interactive",
      signal: AbortSignal.timeout(EMBED_LIMIT_MS),
    });
    return vector ?? null;
  } catch (error) {
    if (!(error instanceof EmbedderError)) throw error;
    errorsTotal.add(1, { type: "embedder" });
    logger("vectors").warn({ err: error }, "the query could not be embedded: searching by words alone");
    return null;
  }
}
