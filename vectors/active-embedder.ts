// The embedder this process uses, by configuration.
import { secret } from "encore.dev/config";
import { cfg } from "../config";
import { onShutdown } from "../telemetry/shutdown";
import type { Embedder } from "./providers/embedder";
import { LocalEmbedder } from "./providers/local-embedder";
import { OpenAiEmbedder } from "./providers/openai-embedder";

const embeddingsApiKey = secret("EmbeddingsApiKey");

/** Throws where the configured provider needs the key and the runtime refuses it; one that takes none answers "". */
export function assertEmbedderKey(): void {
  if (cfg.embeddings.provider === "openai") embeddingsApiKey();
}

let active: Embedder | undefined;

/** The same one for the life of the process, unless replaced. */
export function activeEmbedder(): Embedder {
  active ??= createEmbedder();
  return active;
}

/** Puts another embedder in place, for tests; returns what puts the former one back. */
export function replaceEmbedder(embedder: Embedder): () => void {
  const former = active;
  active = embedder;
  return () => {
    active = former;
  };
}

function createEmbedder(): Embedder {
  const { provider, baseUrl = "", model = "", idleSeconds } = cfg.embeddings;
  const made =
    provider === "local"
      ? new LocalEmbedder({ idleSeconds })
      : new OpenAiEmbedder({ baseUrl, model, apiKey: () => embeddingsApiKey() });
  onShutdown("embedder", () => made.close(), "idle");
  return made;
}
