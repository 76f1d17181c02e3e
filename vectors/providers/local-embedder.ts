// The embedder that needs nothing installed: the sentence model in processes of its own, which start with the
// first text and leave when idle. Texts go to them in small requests, those a person waits for first, so that a
// search during an ingestion waits for one request and not for a batch; organisations' searches take turns, and batches have
// their share beside them. One process by default: each holds 250 MB.
import { RoundRobin } from "../../security/round-robin";
import {
  checkVectors,
  EMBEDDING_DIMENSIONS,
  EmbedderError,
  givenUp,
  type EmbedOptions,
  type Embedder,
} from "./embedder";
import { EmbedderProcess } from "./embedder-process";

/** Texts of one request to the process: about a third of a second of work; more gains no speed and costs memory. */
const TEXTS_PER_REQUEST = 8;
/** A request that a crash interrupted is asked once more, of a new process. */
const TRIES = 2;
/** While a batch waits: then one of its requests is next, or searches alone could keep documents from ever being ready. */
const INTERACTIVE_IN_A_ROW = 4;

interface Lane {
  readonly process: EmbedderProcess;
  isBusy: boolean;
}

interface Request {
  texts: readonly string[];
  signal: AbortSignal | undefined;
  resolve(vectors: Float32Array[]): void;
  reject(error: Error): void;
}

export class LocalEmbedder implements Embedder {
  readonly model = "universal-sentence-encoder-lite-en";
  readonly dimensions = EMBEDDING_DIMENSIONS;
  private readonly lanes: readonly Lane[];
  private readonly interactive = new RoundRobin<Request>();
  private readonly batches: Request[] = [];
  private interactiveInARow = 0;
  private idleTimer: NodeJS.Timeout | undefined;

  /** `processes`: a second one is started only for a backlog. */
  constructor(private readonly options: { idleSeconds: number; processes?: number }) {
    const { processes = 1 } = options;
    this.lanes = Array.from({ length: processes }, () => ({
      process: new EmbedderProcess(),
      isBusy: false,
    }));
  }

  /** The processes there are just now. */
  get pids(): number[] {
    return this.lanes.flatMap(({ process }) => process.pid ?? []);
  }

  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<number[][]> {
    const parts: Promise<Float32Array[]>[] = [];
    for (let at = 0; at < texts.length; at += TEXTS_PER_REQUEST)
      parts.push(this.enqueue(texts.slice(at, at + TEXTS_PER_REQUEST), options));
    const vectors = (await Promise.all(parts)).flat();
    return checkVectors(vectors, { count: texts.length, dimensions: this.dimensions, model: this.model });
  }

  async close(): Promise<void> {
    clearTimeout(this.idleTimer);
    for (const request of [...this.interactive.takeAll(), ...this.batches.splice(0)])
      request.reject(new EmbedderError("the embedder was closed", true));
    await this.stop();
  }

  private enqueue(
    texts: readonly string[],
    { signal, priority, tenantId = "" }: EmbedOptions,
  ): Promise<Float32Array[]> {
    if (signal?.aborted) return Promise.reject(givenUp(signal));
    return new Promise((resolve, reject) => {
      // Whoever gives up is told at once, not when the process has time for it again.
      const onAbort = (): void => reject(givenUp(signal));
      signal?.addEventListener("abort", onAbort, { once: true });
      const settled = (): void => signal?.removeEventListener("abort", onAbort);
      const request: Request = {
        texts,
        signal,
        resolve: (vectors) => (settled(), resolve(vectors)),
        reject: (error) => (settled(), reject(error)),
      };
      if (priority === "interactive") this.interactive.add(tenantId, request);
      else this.batches.push(request);
      this.assign();
    });
  }

  /** Gives work to a lane that has none; to one without a process only when the others are all at work. */
  private assign(): void {
    clearTimeout(this.idleTimer);
    const idle = this.lanes.filter(({ isBusy }) => !isBusy);
    const lane = idle.find(({ process }) => process.pid !== undefined) ?? idle[0];
    if (lane !== undefined) void this.work(lane);
  }

  private async work(lane: Lane): Promise<void> {
    lane.isBusy = true;
    for (let request = this.next(); request !== undefined; request = this.next()) await this.answer(request, lane);
    lane.isBusy = false;
    if (this.lanes.some(({ isBusy }) => isBusy)) return;
    this.idleTimer = setTimeout(() => void this.stop(), this.options.idleSeconds * 1000);
    this.idleTimer.unref();
  }

  private async stop(): Promise<void> {
    await Promise.all(this.lanes.map(({ process }) => process.stop()));
  }

  private next(): Request | undefined {
    const isBatchDue = this.batches.length > 0 && this.interactiveInARow >= INTERACTIVE_IN_A_ROW;
    const request = isBatchDue ? undefined : this.nextInteractive();
    if (request === undefined) {
      this.interactiveInARow = 0;
      return this.batches.shift();
    }
    this.interactiveInARow = this.batches.length > 0 ? this.interactiveInARow + 1 : 0;
    return request;
  }

  /** Of those that somebody still waits for: the others have been told, and take nobody's turn. */
  private nextInteractive(): Request | undefined {
    let request = this.interactive.next();
    while (request?.signal?.aborted === true) request = this.interactive.next();
    return request;
  }

  private async answer({ texts, signal, resolve, reject }: Request, { process }: Lane): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      if (signal?.aborted) return reject(givenUp(signal));
      try {
        return resolve(await process.ask(texts));
      } catch (error) {
        if (attempt >= TRIES || !(error instanceof EmbedderError) || !error.retryable) return reject(error as Error);
      }
    }
  }
}
