// Texts of no document, for who keeps their vectors elsewhere. Searches go before.
import { errorsTotal } from "../telemetry/metrics";
import { errors } from "./errors";
import { EmbedderError, embedUntil, type Embedder } from "./providers/embedder";

/** For some dozens of texts, behind batches of documents and a model that loads. */
const LIMIT_MS = 60_000;

/** @throws APIError embedder_unavailable when the embedder does not answer in time */
export async function embedTexts(texts: readonly string[], embedder: Embedder): Promise<number[][]> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  try {
    return await embedUntil(embedder, texts, { priority: "batch", signal });
  } catch (error) {
    if (!(error instanceof EmbedderError)) throw error;
    errorsTotal.add(1, { type: "embedder" });
    throw errors.embedder_unavailable({ retryAfterSeconds: 5, cause: error });
  }
}
