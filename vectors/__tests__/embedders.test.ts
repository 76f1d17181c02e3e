import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { EmbedderError } from "../providers/embedder";
import { LocalEmbedder } from "../providers/local-embedder";
import { OpenAiEmbedder } from "../providers/openai-embedder";
import { embedderContract } from "./embedder-contract";

const dot = (a: readonly number[] = [], b: readonly number[] = []): number =>
  a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

/** A server of the OpenAI protocol: vectors from a hash of the text, one scripted refusal at a time. */
class FakeOpenAi {
  readonly requests: { input: string[]; dimensions: number; authorization: string | undefined }[] = [];
  readonly refusals: { status: number; headers?: Record<string, string> }[] = [];
  answer: (input: string[]) => unknown = (input) => ({
    data: input.map((text, index) => ({ index, embedding: vectorOf(text) })).reverse(),
  });
  private readonly server: Server = createServer((request, response) => void this.handle(request, response));

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const part of request) text += String(part);
    const refusal = this.refusals.shift();
    if (refusal || request.url !== "/v1/embeddings")
      return void response.writeHead(refusal?.status ?? 404, refusal?.headers).end("{}");
    const { input, dimensions } = JSON.parse(text) as { input: string[]; dimensions: number };
    this.requests.push({ input, dimensions, authorization: request.headers.authorization });
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(this.answer(input)));
  }
}

function vectorOf(text: string): number[] {
  const bytes = createHash("shake256", { outputLength: 512 }).update(text).digest();
  return [...bytes].map((byte) => byte - 127.5);
}

const openAi = new FakeOpenAi();
let baseUrl = "";
const pauses: number[] = [];
const openAiEmbedder = (): OpenAiEmbedder =>
  new OpenAiEmbedder({
    baseUrl,
    model: "text-embedding-test",
    apiKey: () => "key",
    pause: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
  });

beforeAll(async () => {
  baseUrl = await openAi.start();
});
afterAll(() => openAi.stop());

embedderContract("the local sentence model", () => new LocalEmbedder({ idleSeconds: 60 }));
embedderContract("an OpenAI-compatible server", openAiEmbedder);

describe("the local sentence model", () => {
  test("understands paraphrase", async () => {
    const embedder = new LocalEmbedder({ idleSeconds: 60, processes: 1 });
    onTestFinished(() => embedder.close());
    const [question, right, wrong] = await embedder.embed([
      "how do you protect user credentials?",
      "Passwords are hashed with argon2.",
      "Knead the dough and let it rise overnight.",
    ]);
    expect(dot(question, right)).toBeGreaterThan(dot(question, wrong) + 0.1);
  });
});

describe("an OpenAI-compatible server", () => {
  test("is asked in bounded batches, for the stored dimensions, with the key", async () => {
    openAi.requests.length = 0;
    await openAiEmbedder().embed(Array.from({ length: 200 }, (_, index) => `t${index}`));
    expect(openAi.requests.map(({ input }) => input.length)).toEqual([96, 96, 8]);
    expect(openAi.requests[0]).toMatchObject({ dimensions: 512, authorization: "Bearer key" });
  });

  test("is asked again after 429 and 5xx, not before the time it names", async () => {
    pauses.length = 0;
    openAi.refusals.push({ status: 429, headers: { "retry-after": "7" } }, { status: 503 });
    expect(await openAiEmbedder().embed(["patience"])).toHaveLength(1);
    expect(pauses).toEqual([7_000, expect.closeTo(750, -3)]);
  });

  test("does not keep whoever has a deadline waiting for as long as it asks for", async () => {
    openAi.refusals.push({ status: 429, headers: { "retry-after": "30" } });
    const patient = new OpenAiEmbedder({ baseUrl, model: "m", apiKey: () => "" });
    const startedAt = performance.now();
    await expect(patient.embed(["x"], { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
      message: "embedding was given up",
      retryable: true,
    });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  test("that falls silent within its answer is an error that may be retried, and pauses for nobody who has given up", async () => {
    pauses.length = 0;
    const silent = createServer((_, response) => void response.writeHead(200).write('{"data":['));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => (silent.closeAllConnections(), void silent.close()));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const pause = (ms: number): Promise<void> => (pauses.push(ms), Promise.resolve());
    const embedder = new OpenAiEmbedder({ baseUrl: url, model: "m", apiKey: () => "", pause });
    await expect(embedder.embed(["x"], { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({
      message: "embedding was given up",
      retryable: true,
    });
    expect(pauses).toEqual([]);
  });

  test("is given up after five refusals, with an error that may be retried", async () => {
    openAi.refusals.push(...Array.from({ length: 5 }, () => ({ status: 500 })));
    await expect(openAiEmbedder().embed(["x"])).rejects.toMatchObject({ name: "EmbedderError", retryable: true });
    expect(openAi.refusals).toEqual([]);
  });

  test("is not asked again after a refusal that would only repeat", async () => {
    openAi.refusals.push({ status: 401 });
    await expect(openAiEmbedder().embed(["x"])).rejects.toMatchObject({
      name: "EmbedderError",
      retryable: false,
      message: "the embeddings server answered 401",
    });
  });

  test.each([
    ["other dimensions", { data: [{ index: 0, embedding: [1, 2, 3] }] }],
    ["fewer vectors", { data: [] }],
    ["something else", { error: "no" }],
    ["a vector without direction", { data: [{ index: 0, embedding: new Array<number>(512).fill(0) }] }],
  ])("is not believed when it answers %s", async (_, answer) => {
    const usual = openAi.answer;
    openAi.answer = () => answer;
    await expect(openAiEmbedder().embed(["x"])).rejects.toBeInstanceOf(EmbedderError);
    openAi.answer = usual;
  });

  test("that cannot be reached is an error that may be retried", async () => {
    const nobody = new OpenAiEmbedder({
      baseUrl: "http://127.0.0.1:1/v1/",
      model: "m",
      apiKey: () => "",
      pause: () => Promise.resolve(),
    });
    await expect(nobody.embed(["x"])).rejects.toMatchObject({
      retryable: true,
      message: "the embeddings server cannot be reached",
    });
  });
});
