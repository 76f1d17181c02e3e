// Over HTTP, of the running app: the stock client of the OpenAI protocol by an API key, POST /ai/generate whole and as a stream, clients
// that leave, and whose keys are asked by. The provider is the server of provider-server.ts.
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  migratedStateDir,
  startApp,
  until,
  type RunningApp,
} from "../../../runtime/__tests__/whole-app/support/running-app";
import {
  ANSWER,
  EMBEDDED_TOKENS,
  INPUT_TOKENS,
  startProviderServer,
  vectorOf,
  type ProviderServer,
} from "./provider-server";

/** More than these tests spend, less than the longest answer may cost. */
const INSTALLATION_DAY = 30_000;

const state = migratedStateDir();
let server: ProviderServer;
let app: RunningApp;
let token: string;
let key: string;
let client: OpenAI;

async function call<T>(method: string, path: string, body?: unknown, by = token): Promise<T> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${by}` };
  const sent = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const answer = await fetch(`${app.baseUrl}${path}`, sent);
  return (await answer.json()) as T;
}

beforeAll(async () => {
  server = await startProviderServer();
  app = await startApp(state.path, {
    AI_PROVIDERS: JSON.stringify(
      server.providers(["openai", "mistral"]).map(({ models, ...provider }) => ({
        ...provider,
        models: models.map(({ name, price }) => ({
          name,
          // The second one costs next to nothing.
          inputPrice: provider.id === "openai" ? price?.input : 1,
          outputPrice: provider.id === "openai" ? price?.output : 1,
        })),
      })),
    ),
    AiProviderKeys: "openai=key-of-the-installation\nmistral=other-key-of-the-installation",
    AI_ORGANISATION_DAY_MICRO_USD: String(INSTALLATION_DAY),
  });
  const person = { email: "ai@example.com", password: "a passphrase of many words", organisation: "AI" };
  ({ accessToken: token } = await call<{ accessToken: string }>("POST", "/auth/register", person, ""));
  ({ key } = await call<{ key: string }>("POST", "/auth/api-keys", { name: "ai" }));
  client = new OpenAI({ baseURL: `${app.baseUrl}/ai/v1`, apiKey: key, maxRetries: 0 });
});
afterAll(async () => {
  await app?.stop();
  await server?.stop();
  state.remove();
});
beforeEach(() => {
  server.does.openai = [ANSWER];
  server.does.mistral = [ANSWER];
  server.seen.length = 0;
});

const messages = [{ role: "user" as const, content: "Which port?" }];
const TEXTS = ["one", "three"];

function numbersOf(embedding: unknown): number[] {
  if (typeof embedding !== "string") return embedding as number[];
  const bytes = Buffer.from(embedding, "base64");
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}
interface Period {
  spentMicroUsd: number;
  reservedMicroUsd: number;
  calls: number;
}
const usage = async (): Promise<Period> => (await call<{ day: Period }>("GET", "/ai/usage")).day;

describe("the stock client of the OpenAI protocol", () => {
  test("lists models", async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id, owned_by: by }) => [id, by])).toEqual([
      ["m", "openai"],
      ["only-openai", "openai"],
      ["only-mistral", "mistral"],
      ["local", "installation"],
    ]);
  });

  test.each(["float", "base64", undefined] as const)("gets embeddings, as %s", async (format) => {
    const sent = format === undefined ? {} : { encoding_format: format };
    const { data, model, usage: used } = await client.embeddings.create({ model: "m", input: TEXTS, ...sent });
    // Who asks for base64 gets it as it came; else the client decodes what it asked for by itself.
    const vectors = data.map(({ embedding }) => numbersOf(embedding));
    expect(vectors).toEqual(TEXTS.map((text) => vectorOf(text)));
    expect([data.map(({ index }) => index), model, used.total_tokens]).toEqual([[0, 1], "m", 2 * EMBEDDED_TOKENS]);
  });

  test("gets embeddings by the installation's own model, which costs nothing", async () => {
    const before = await usage();
    const { data, model } = await client.embeddings.create({ model: "local", input: "Which port?" });
    expect([data.length, data[0]?.embedding.length]).toEqual([1, 512]);
    expect(model).toBe("universal-sentence-encoder-lite-en");
    expect(await usage()).toEqual(before);
    expect(server.seen).toEqual([]);
  });

  test("gets a completion with what it cost", async () => {
    const completion = await client.chat.completions.create({ model: "m", messages, max_tokens: 50 });
    expect(completion.choices[0]).toMatchObject({
      message: { role: "assistant", content: "The port is 4000." },
      finish_reason: "stop",
    });
    expect(completion.usage).toEqual({
      prompt_tokens: INPUT_TOKENS,
      completion_tokens: 3,
      total_tokens: INPUT_TOKENS + 3,
    });
    expect(server.seen[0]?.key).toBe("key-of-the-installation");
  });

  test("reads a stream to its end", async () => {
    const stream = await client.chat.completions.create({
      ...{ model: "m", messages, stream: true, stream_options: { include_usage: true } },
    });
    let text = "";
    let last: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      last = chunk.usage?.total_tokens ?? last;
    }
    expect([text, last]).toEqual(["The port is 4000.", INPUT_TOKENS + 3]);
  });

  test("that leaves in the midst of a stream ends the provider's request, and it is settled", async () => {
    server.does.openai = [{ does: "flood" }];
    const stream = await client.chat.completions.create({ model: "m", messages, stream: true });
    for await (const chunk of stream) if (chunk.choices.length > 0) break;
    // Half of the time after which one that is silent is given up whoever waits.
    await until("the provider's request ended", () => server.seen[0]?.wasAborted === true, 30_000);
    await until("it was settled", async () => (await usage()).reservedMicroUsd === 0);
  });

  test("is told by status and code what is wrong", async () => {
    const fail = (body: object): Promise<unknown> =>
      client.chat.completions.create({ model: "m", messages, ...body }).catch((error: unknown) => error);
    expect(await fail({ model: "none" })).toMatchObject({ status: 404 });
    expect(await fail({ n: 2 })).toMatchObject({ status: 400 });
    const image = [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://x.example" } }] }];
    expect(await fail({ messages: image })).toMatchObject({ status: 400 });
    server.does.openai = [{ does: "refuse", status: 503, headers: { "retry-after": "30" } }];
    const unavailable = await fail({ model: "only-openai" });
    expect(unavailable).toMatchObject({ status: 503 });
    expect((unavailable as InstanceType<typeof OpenAI.APIError>).headers?.get("x-should-retry")).toBeNull();
    const stranger = new OpenAI({ baseURL: `${app.baseUrl}/ai/v1`, apiKey: "gw_nobody", maxRetries: 0 });
    expect(await stranger.models.list().catch((error: unknown) => error)).toMatchObject({ status: 401 });
  });
});

describe("the stock client that repeats by itself", () => {
  test("does not repeat what may have been paid", async () => {
    server.does.openai = [{ does: "cut", parts: ["The port"] }];
    const repeating = new OpenAI({ baseURL: `${app.baseUrl}/ai/v1`, apiKey: key, maxRetries: 2 });
    const body = { model: "only-openai", messages, max_tokens: 50 };
    const failure: unknown = await repeating.chat.completions.create(body).catch((error: unknown) => error);
    expect(failure).toMatchObject({ status: 503 });
    expect((failure as InstanceType<typeof OpenAI.APIError>).headers?.get("x-should-retry")).toBe("false");
    expect(server.seen).toHaveLength(1);
  });
});

describe("POST /ai/generate", () => {
  test("answers whole", async () => {
    expect(await call("POST", "/ai/generate", { prompt: "Which port?" })).toMatchObject({
      ...{ text: "The port is 4000.", provider: "openai", model: "m", finishReason: "stop" },
      usage: { inputTokens: INPUT_TOKENS, outputTokens: 3 },
    });
  });

  test("answers as server-sent events", async () => {
    const answer = await fetch(`${app.baseUrl}/ai/generate`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ messages, stream: true }),
    });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const text = await answer.text();
    const texts = [...text.matchAll(/event: text\ndata: (.*)\n/g)].map(
      ([, data]) => (JSON.parse(data!) as { text: string }).text,
    );
    expect(texts.join("")).toBe("The port is 4000.");
    expect(text).toContain("event: done\n");
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["both a prompt and messages", JSON.stringify({ prompt: "x", messages })],
    ["rules alone", JSON.stringify({ messages: [{ role: "system", content: "x" }] })],
    ["a prompt of half a megabyte and more", JSON.stringify({ prompt: "x".repeat(600_000) })],
    ["a NUL", JSON.stringify({ prompt: "a\u0000b" })],
  ])("refuses %s, and asks nobody", async (_what, body) => {
    const headers = { authorization: `Bearer ${key}` };
    const answer = await fetch(`${app.baseUrl}/ai/generate`, { method: "POST", headers, body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ details: { reason: "invalid_request" } });
    expect(server.seen).toEqual([]);
  });

  test("of a client that leaves while the whole answer is gathered is ended and settled", async () => {
    server.does.openai = [{ does: "hang", parts: ["The port"] }];
    const leaving = new AbortController();
    const headers = { authorization: `Bearer ${key}` };
    const body = JSON.stringify({ prompt: "Which port?", maxOutputTokens: 50 });
    const sent = { method: "POST", headers, body, signal: leaving.signal };
    const answer = fetch(`${app.baseUrl}/ai/generate`, sent).catch((error: unknown) => error);
    await until("the provider was asked", () => server.seen.length === 1);
    leaving.abort();
    await answer;
    // Half of the time after which one that is silent is given up whoever waits.
    await until("the provider's request ended", () => server.seen[0]?.wasAborted === true, 30_000);
    await until("it was settled", async () => (await usage()).reservedMicroUsd === 0);
  });

  test("goes by the organisation's own keys first, whatever the order of the providers", async () => {
    await call("PUT", "/secrets/ai.mistral", { value: "key-of-our-own" });
    await call("POST", "/ai/generate", { prompt: "Which port?" });
    expect(server.seen.map(({ kind, key: by }) => [kind, by])).toEqual([["mistral", "key-of-our-own"]]);
    const { providers } = await call<{ providers: { id: string; key?: string }[] }>("GET", "/ai/providers");
    expect(providers.map(({ id, key: of }) => [id, of])).toEqual([
      ["mistral", "organisation"],
      ["openai", "installation"],
    ]);
    const gone = await fetch(`${app.baseUrl}/secrets/ai.mistral`, {
      ...{ method: "DELETE", headers: { authorization: `Bearer ${token}` } },
    });
    expect(gone.status).toBe(200);
  });

  test("costs the installation no more in a day than it lets an organisation spend, and the next provider may fit", async () => {
    const longest = { prompt: "Which port?", maxOutputTokens: 16_384 };
    expect(await call("POST", "/ai/generate", { ...longest, model: "only-openai" })).toMatchObject({
      details: { reason: "budget_exhausted", budget: "installation" },
    });
    expect(server.seen).toEqual([]);
    expect(await call("POST", "/ai/generate", longest)).toMatchObject({ provider: "mistral" });
    expect(await call("POST", "/ai/generate", { prompt: "Which port?" })).toMatchObject({ provider: "openai" });
  });

  test("is paid within a budget, and a budget that is used up refuses", async () => {
    const before = await usage();
    await call("POST", "/ai/generate", { prompt: "Which port?" });
    const after = await usage();
    expect([after.calls - before.calls, after.spentMicroUsd - before.spentMicroUsd]).toEqual([1, INPUT_TOKENS + 6]);
    await call("PUT", "/ai/budgets/all", { period: "day", limitMicroUsd: 0 });
    expect(await call("POST", "/ai/generate", { prompt: "Which port?" })).toMatchObject({
      details: { reason: "budget_exhausted", budget: "all" },
    });
    expect(server.seen).toHaveLength(1);
  });
});

describe("an app that is told to end", () => {
  test("ends its streams with an error, never as if they were whole", async () => {
    await call("PUT", "/ai/budgets/all", { period: "day", limitMicroUsd: 1_000_000 });
    server.does.openai = [{ does: "hang", parts: ["The port"] }];
    const answer = await fetch(`${app.baseUrl}/ai/generate`, {
      ...{ method: "POST", headers: { authorization: `Bearer ${key}` } },
      body: JSON.stringify({ prompt: "Which port?", stream: true, maxOutputTokens: 50 }),
    });
    const text = answer.text();
    await app.stop();
    expect(await text).toContain("event: text\n");
    expect(await text).toContain("event: error\n");
    expect(await text).toContain("call_given_up");
    expect(await text).not.toContain("event: done\n");
    await until("the provider's request ended", () => server.seen[0]?.wasAborted === true);
  });
});
