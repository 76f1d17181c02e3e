// What every embedder promises (providers/embedder.ts), as one suite. A new one is three lines in
// embedders.test.ts.
import { afterAll, describe, expect, test } from "vitest";
import { EMBEDDING_DIMENSIONS, EmbedderError, type Embedder } from "../providers/embedder";

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

export function embedderContract(name: string, create: () => Embedder | Promise<Embedder>): void {
  describe(`the embedder contract, kept by ${name}`, () => {
    let made: Promise<Embedder> | undefined;
    const embedder = (): Promise<Embedder> => (made ??= Promise.resolve(create()));
    afterAll(async () => (await embedder()).close());

    test("names its model and the dimensions that are stored", async () => {
      expect((await embedder()).model).not.toBe("");
      expect((await embedder()).dimensions).toBe(EMBEDDING_DIMENSIONS);
    });

    test("answers one vector of length 1 for each text, in the texts' order, across batches", async () => {
      const texts = Array.from({ length: 70 }, (_, index) => `text number ${index}`);
      const vectors = await (await embedder()).embed(texts);
      expect(vectors).toHaveLength(70);
      for (const vector of vectors) {
        expect(vector).toHaveLength(EMBEDDING_DIMENSIONS);
        expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
      }
      const [alone] = await (await embedder()).embed([texts[67] ?? ""]);
      const similarities = vectors.map((vector) => dot(vector, alone ?? []));
      expect(similarities.indexOf(Math.max(...similarities))).toBe(67);
    });

    test("takes no texts, empty texts and texts in any script", async () => {
      expect(await (await embedder()).embed([])).toEqual([]);
      expect(await (await embedder()).embed(["", " ", "日本語", "😀", "a\u0000b", "\ud800"])).toHaveLength(6);
    });

    test("gives up with EmbedderError when told to", async () => {
      await expect((await embedder()).embed(["never sent"], { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
        EmbedderError,
      );
    });

    test("works again after close()", async () => {
      await (await embedder()).close();
      expect(await (await embedder()).embed(["again"])).toHaveLength(1);
    });
  });
}
