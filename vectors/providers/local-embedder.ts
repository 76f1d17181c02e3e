// The embedder that needs nothing installed: the sentence model in a process of its own, which starts with the
// first text and leaves when idle. Texts go to it in small requests, those a person waits for first, so
// that a search during an ingestion waits for one request and not for a batch.
import { checkVectors, EMBEDDING_DIMENSIONS, EmbedderError, type EmbedOptions, type Embedder } from "./embedder";
import { EmbedderProcess } from "./embedder-process";

/** Texts of one request to the process: about a third of a second of work; more gains no speed and costs memory. */
const TEXTS_PER_REQUEST = 8;
/** A request that a crash interrupted is asked once more, of a new process. */
const TRIES = 2;

interface Request {
  texts: readonly string[];
  signal: AbortSignal | undefined;
  resolve(vectors: Float32Array[]): void;
  reject(error: Error): void;
}

export class LocalEmbedder implements Embedder {
  readonly model = "universal-sentence-encoder-lite-en";
  readonly dimensions = EMBEDDING_DIMENSIONS;
  private readonly process = new EmbedderProcess();
  private readonly waiting: Record<"interactive" | "batch", Request[]> = { interactive: [], batch: [] };
  private isBusy = false;
  private idleTimer: NodeJS.Timeout | undefined;

  constructor(private readonly options: { idleSeconds: number }) {}

  /** The process at work, for tests and operators; undefined when there is none. */
  get pid(): number | undefined {
    return this.process.pid;
  }

  async embed(texts: readonly string[], { signal, priority = "batch" }: EmbedOptions = {}): Promise<number[][]> {
    const parts: Promise<Float32Array[]>[] = [];
    for (let at = 0; at < texts.length; at += TEXTS_PER_REQUEST) parts.push(this.enqueue(texts.slice(at, at + TEXTS_PER_REQUEST), signal, priority));
    const vectors = (await Promise.all(parts)).flat();
    return checkVectors(vectors, { count: texts.length, dimensions: this.dimensions, model: this.model });
  }

  async close(): Promise<void> {
    clearTimeout(this.idleTimer);
    for (const request of [...this.waiting.interactive.splice(0), ...this.waiting.batch.splice(0)]) request.reject(new EmbedderError("the embedder was closed", true));
    await this.process.stop();
  }

  private enqueue(texts: readonly string[], signal: AbortSignal | undefined, priority: "interactive" | "batch"): Promise<Float32Array[]> {
    return new Promise((resolve, reject) => {
      this.waiting[priority].push({ texts, signal, resolve, reject });
      void this.work();
    });
  }

  private async work(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    clearTimeout(this.idleTimer);
    for (let request = this.next(); request !== undefined; request = this.next()) await this.answer(request);
    this.isBusy = false;
    this.idleTimer = setTimeout(() => void this.process.stop(), this.options.idleSeconds * 1000);
    this.idleTimer.unref();
  }

  private next(): Request | undefined {
    return this.waiting.interactive.shift() ?? this.waiting.batch.shift();
  }

  private async answer({ texts, signal, resolve, reject }: Request): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      if (signal?.aborted) return reject(new EmbedderError("embedding was given up", true, signal.reason));
      try {
        return resolve(await this.process.ask(texts));
      } catch (error) {
        if (attempt >= TRIES || !(error instanceof EmbedderError) || !error.retryable) return reject(error as Error);
      }
    }
  }
}
