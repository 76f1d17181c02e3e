// Any server that speaks the OpenAI embeddings protocol (POST …/v1/embeddings): OpenAI itself, vLLM, Ollama,
// llama.cpp, text-embeddings-inference. Answers are validated like everything from outside.
import { z, ZodError } from "zod";
import { backoffMs, type Backoff } from "../../db/backoff";
import { nameLookups } from "../../security/name-lookup";
import {
  checkVectors,
  EMBEDDING_DIMENSIONS,
  EmbedderError,
  givenUp,
  type EmbedOptions,
  type Embedder,
} from "./embedder";

/** Texts of one request: far below the protocol's 2,048, because servers also bound tokens. */
const TEXTS_PER_REQUEST = 96;
const TRIES = 5;
const MAX_DELAY_MS = 30_000;
const BACKOFF: Backoff = { firstMs: 500, maxMs: MAX_DELAY_MS };
const REQUEST_TIMEOUT_MS = 30_000;
/** Of one request with all its tries: a job that embeds has more time, so that it ends by what the server did. */
export const REQUEST_MS_MAX = TRIES * REQUEST_TIMEOUT_MS + (TRIES - 1) * MAX_DELAY_MS;

const answerSchema = z.object({
  data: z.array(z.object({ index: z.int().nonnegative(), embedding: z.array(z.number()) })),
});

export interface OpenAiSettings {
  /** With or without a trailing /v1. */
  baseUrl: string;
  model: string;
  /** Asked for each request; empty for servers that want none. */
  apiKey: () => string;
  /** For tests: waits between tries; rejects when the signal says that nobody waits any more. */
  pause?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(givenUp(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

export class OpenAiEmbedder implements Embedder {
  readonly model: string;
  readonly dimensions = EMBEDDING_DIMENSIONS;
  private readonly url: string;
  private readonly pause: (ms: number, signal?: AbortSignal) => Promise<void>;

  constructor(private readonly settings: OpenAiSettings) {
    this.model = settings.model;
    this.url = `${settings.baseUrl.replace(/(?<!\/)\/+$/, "").replace(/\/v1$/, "")}/v1/embeddings`;
    this.pause = settings.pause ?? sleep;
  }

  async embed(texts: readonly string[], { signal }: EmbedOptions = {}): Promise<number[][]> {
    const vectors: number[][] = [];
    for (let at = 0; at < texts.length; at += TEXTS_PER_REQUEST) {
      vectors.push(...(await this.request(texts.slice(at, at + TEXTS_PER_REQUEST), signal)));
    }
    return checkVectors(vectors, { count: texts.length, dimensions: this.dimensions, model: this.model });
  }

  async close(): Promise<void> {
    // Nothing is held between requests.
  }

  private async request(texts: readonly string[], signal: AbortSignal | undefined): Promise<number[][]> {
    for (let attempt = 1; ; attempt++) {
      if (signal?.aborted) throw givenUp(signal);
      const outcome = await this.send(texts, signal);
      if ("vectors" in outcome) return outcome.vectors;
      if (!outcome.error.retryable || attempt >= TRIES) throw outcome.error;
      // Whoever gives a deadline is not kept beyond it by a server that asks for patience; what has aborted tells no pause so.
      if (signal?.aborted) throw givenUp(signal);
      await this.pause(outcome.waitMs ?? backoffMs(BACKOFF, attempt), signal);
    }
  }

  private async send(
    texts: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<{ vectors: number[][] } | { error: EmbedderError; waitMs?: number }> {
    const limit = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const key = this.settings.apiKey();
    const until = signal === undefined ? limit : AbortSignal.any([limit, signal]);
    let response: Response;
    try {
      await nameLookups.untilFound(this.url, until);
      response = await fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json", ...(key === "" ? {} : { authorization: `Bearer ${key}` }) },
        // The protocol refuses empty texts.
        body: JSON.stringify({
          model: this.model,
          input: texts.map((text) => (text.trim() === "" ? "." : text)),
          encoding_format: "float",
          dimensions: this.dimensions,
        }),
        signal: until,
        redirect: "error",
      });
    } catch (cause) {
      return { error: new EmbedderError("the embeddings server cannot be reached", true, cause) };
    }
    if (response.ok) return this.read(response);
    await response.body?.cancel();
    const retryable = response.status === 429 || response.status >= 500 || response.status === 408;
    const waitMs = retryAfterMs(response.headers.get("retry-after"));
    return {
      error: new EmbedderError(`the embeddings server answered ${response.status}`, retryable),
      ...(waitMs === undefined ? {} : { waitMs }),
    };
  }

  private async read(response: Response): Promise<{ vectors: number[][] } | { error: EmbedderError }> {
    try {
      const { data } = answerSchema.parse(await response.json());
      return { vectors: data.sort((a, b) => a.index - b.index).map(({ embedding }) => embedding) };
    } catch (cause) {
      // Anything else is the connection's doing.
      const isForeign = cause instanceof SyntaxError || cause instanceof ZodError;
      const what = isForeign ? "is not of the protocol" : "did not come to its end";
      return { error: new EmbedderError(`the embeddings server's answer ${what}`, !isForeign, cause) };
    }
  }
}

/** Seconds or a date (RFC 9110 §10.2.3); at most MAX_DELAY_MS. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(MAX_DELAY_MS, Math.max(0, ms));
}
