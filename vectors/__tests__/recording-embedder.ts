// An embedder for tests that records what it was asked: vectors from the words of a text, so that texts that share
// words are near each other.
import { createHash } from "node:crypto";
import { EMBEDDING_DIMENSIONS, type EmbedderError, type Embedder } from "../providers/embedder";

export class RecordingEmbedder implements Embedder {
  readonly dimensions = EMBEDDING_DIMENSIONS;
  /** Texts of documents, in the order they were asked for; queries are not among them. */
  readonly texts: string[] = [];
  readonly batches: number[] = [];
  /** Thrown instead of answering, once each. */
  readonly failures: EmbedderError[] = [];
  /** Runs before a batch is answered. */
  before: (texts: readonly string[]) => Promise<void> | void = () => undefined;

  constructor(readonly model = "words-of-a-text") {}

  async embed(texts: readonly string[], options: { priority?: "interactive" | "batch" } = {}): Promise<number[][]> {
    if (options.priority !== "interactive") {
      await this.before(texts);
      const failure = this.failures.shift();
      if (failure) throw failure;
      this.batches.push(texts.length);
      this.texts.push(...texts);
    }
    return texts.map(vectorOf);
  }

  async close(): Promise<void> {
    // Nothing is held.
  }
}

function vectorOf(text: string): number[] {
  const vector = new Array<number>(EMBEDDING_DIMENSIONS).fill(0.001);
  for (const word of text.toLowerCase().match(/[a-z0-9]{3,}/g) ?? []) {
    const place = createHash("sha256").update(word).digest().readUInt16BE(0) % EMBEDDING_DIMENSIONS;
    vector[place] = (vector[place] ?? 0) + 1;
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
