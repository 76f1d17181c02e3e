// The embeddings of the OpenAI protocol, of texts: token numbers are refused, because each model has its own.
// Source: https://platform.openai.com/docs/api-reference/embeddings
import { z } from "zod";
import type { Embeddings } from "./embeddings";
import { modelName, plainText, PROMPT_BYTES_MAX } from "./input";

const TEXTS_MAX = 128;
/** What the longest embedding models take: 8,192 tokens. */
const TEXT_CHARS_MAX = 32_768;
const DIMENSIONS_MAX = 4_096;

const text = plainText(TEXT_CHARS_MAX).min(1, "is empty");

export const embeddingsInput = z.object({
  model: modelName,
  input: z
    .union(
      [text.transform((one) => [one]), z.array(text).min(1).max(TEXTS_MAX)],
      `is neither a text nor a list of 1 to ${TEXTS_MAX} texts, each of 1 to ${TEXT_CHARS_MAX} characters`,
    )
    .refine(
      (texts) => texts.reduce((sum, one) => sum + Buffer.byteLength(one), 0) <= PROMPT_BYTES_MAX,
      `is longer than ${PROMPT_BYTES_MAX} bytes in all`,
    ),
  encoding_format: z.enum(["float", "base64"], "is neither float nor base64").nullish(),
  dimensions: z.int().min(1, "is below 1").max(DIMENSIONS_MAX, `is above ${DIMENSIONS_MAX}`).nullish(),
});

/** Numbers of 32 bits, the lowest byte first, whatever the machine's order. */
function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(4 * vector.length);
  vector.forEach((value, index) => bytes.writeFloatLE(value, 4 * index));
  return bytes.toString("base64");
}

/** The answer, vector by vector: written in one go, hundreds of thousands of numbers would hold up everybody. */
export function* answerParts({ model, vectors, tokens }: Embeddings, isBase64: boolean): Generator<string> {
  yield '{"object":"list","data":[';
  for (const [index, vector] of vectors.entries()) {
    const shown = { object: "embedding", index, embedding: isBase64 ? base64Of(vector) : vector };
    yield `${index === 0 ? "" : ","}${JSON.stringify(shown)}`;
  }
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  yield `],"model":${JSON.stringify(model)},"usage":${JSON.stringify(usage)}}`;
}
