// Texts of no document, for who keeps their vectors elsewhere. Searches go before.
import { errorsTotal } from "../telemetry/metrics";
import { errors } from "./errors";
import { EmbedderError, givenUp, type Embedder } from "./providers/embedder";

/** For some dozens of texts, behind batches of documents and a model that loads. */
const LIMIT_MS = 60_000;

/** @throws APIError embedder_unavailable when the embedder does not answer in time */
export async function embedTexts(texts: readonly string[], embedder: Embedder): Promise<number[][]> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  try {
    // The signal by itself too: whoever asks is answered in time also by an embedder that does not heed it.
    const over = new Promise<never>((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(givenUp(signal)), { once: true }),
    );
    return await Promise.race([embedder.embed(texts, { priority: "batch", signal }), over]);
  } catch (error) {
    if (!(error instanceof EmbedderError)) throw error;
    errorsTotal.add(1, { type: "embedder" });
    throw errors.embedder_unavailable({ retryAfterSeconds: 5, cause: error });
  }
}
