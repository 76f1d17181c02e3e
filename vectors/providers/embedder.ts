// The port to whatever turns texts into vectors. Two live behind it: a sentence model in a process of its own
// (local-embedder.ts) and any server that speaks the OpenAI protocol (openai-embedder.ts). One contract suite
// runs against both. Left out on purpose: tokens, prices, caching; who stores a vector stores `model` beside it.
import { untilAborted } from "../../telemetry/time-limit";

/** Length of every vector here: the column's type says so too. */
export const EMBEDDING_DIMENSIONS = 512;

export interface EmbedOptions {
  /** Rejects at once when it aborts, whatever is under way. */
  signal?: AbortSignal;
  /** `interactive`: a person waits; goes before batches that have not begun. */
  priority?: "interactive" | "batch";
  /** Whose texts these are: of those a person waits for, organisations take turns. */
  tenantId?: string;
}

export interface Embedder {
  /** Vectors are comparable only within one model. */
  readonly model: string;
  readonly dimensions: number;
  /**
   * One vector of `dimensions` finite numbers and length 1 for each text, in the order of the texts; any text will
   * do, the empty one too.
   * @throws EmbedderError, all or nothing.
   */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<number[][]>;
  /** Lets go of processes and connections; a later embed() takes them again. */
  close(): Promise<void>;
}

export class EmbedderError extends Error {
  override readonly name = "EmbedderError";
  constructor(
    message: string,
    /** Whether the same texts may succeed later. */
    readonly retryable: boolean,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** The error for whoever gave a signal that has aborted. */
export function givenUp(signal: AbortSignal | undefined): EmbedderError {
  return new EmbedderError("embedding was given up", true, signal?.reason);
}

/**
 * As `embedder.embed`, given up when the signal aborts also by an embedder that does not heed it: whoever asks is answered in time.
 * @throws EmbedderError
 */
export async function embedUntil(
  embedder: Embedder,
  texts: readonly string[],
  options: EmbedOptions & { signal: AbortSignal },
): Promise<number[][]> {
  const { signal } = options;
  try {
    return await untilAborted(() => embedder.embed(texts, options), signal);
  } catch (error) {
    throw error === signal.reason ? givenUp(signal) : error;
  }
}

/**
 * Checks what came from outside and scales it to length 1, so that cosine and inner product agree.
 * @throws EmbedderError when count, dimensions or numbers are not as promised.
 */
export function checkVectors(
  vectors: readonly ArrayLike<number>[],
  expected: { count: number; dimensions: number; model: string },
): number[][] {
  if (vectors.length !== expected.count)
    throw new EmbedderError(`${expected.model} answered ${vectors.length} vectors for ${expected.count} texts`, false);
  return vectors.map((vector) => {
    if (vector.length !== expected.dimensions)
      throw new EmbedderError(
        `${expected.model} answered ${vector.length} dimensions where ${expected.dimensions} are stored`,
        false,
      );
    const numbers = Array.from(vector);
    const length = Math.hypot(...numbers);
    if (!Number.isFinite(length) || length === 0)
      throw new EmbedderError(`${expected.model} answered a vector that is no direction`, false);
    return numbers.map((value) => value / length);
  });
}
