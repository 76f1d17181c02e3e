// Embeddings of providers: what they cost, who is asked next, and what is told. The server is provider-server.ts.
import { ai } from "~encore/clients";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { putSecret } from "../../../secrets/tenant-secret";
import { reasonOf } from "../../../security/errors";
import { registerCaller, type Caller } from "../../../testing";
import { embed, type Embeddings, type EmbeddingsAsked } from "../embeddings";
import { resetBreakers } from "../providers/breakers";
import { replaceProviders, secretNameOf } from "../providers/registry";
import { worstEmbedding } from "../worst-case";
import {
  ANSWER,
  EMBEDDED_TOKENS,
  startProviderServer,
  vectorOf,
  type Behaviour,
  type Kind,
  type ProviderServer,
} from "./provider-server";
import { booksOf } from "./spending";

const CUT: Behaviour = { does: "cut", parts: [] };
const refuse = (status: number): Behaviour => ({ does: "refuse", status });

let server: ProviderServer;
let caller: Caller;
let putBack: () => void = () => undefined;

beforeAll(async () => {
  server = await startProviderServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  resetBreakers();
  caller = await registerCaller();
  for (const kind of ["openai", "anthropic", "mistral", "compatible"] as const) server.does[kind] = [ANSWER];
  server.seen.length = 0;
});
afterEach(() => putBack());

async function offer(...kinds: Kind[]): Promise<void> {
  putBack = replaceProviders(server.providers(kinds));
  for (const kind of kinds) await putSecret(caller.principal, secretNameOf(kind), "key-of-ours");
}

const TEXTS = ["one", "three"];
const WORST = worstEmbedding(TEXTS).inputTokens;
const run = (more: Partial<EmbeddingsAsked> = {}): Promise<Embeddings> =>
  embed(caller.principal, { model: "m", texts: TEXTS, ...more });
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const kindsSeen = (): Kind[] => server.seen.map(({ kind }) => kind);
const costs = (tokens: number) => ({ spent: tokens, reserved: 0, entries: tokens, open: 0 });

describe.each(["openai", "mistral", "compatible"] as const)("a provider of kind %s", (kind) => {
  test("embeds, by the organisation's key and at what it says that it took", async () => {
    await offer(kind);
    const embedded = await run();
    expect(embedded).toEqual({ model: "m", vectors: TEXTS.map((text) => vectorOf(text)), tokens: 2 * EMBEDDED_TOKENS });
    expect(server.seen).toMatchObject([{ kind, key: "key-of-ours", body: { model: "m", input: TEXTS } }]);
    expect(await booksOf(caller)).toEqual(costs(2 * EMBEDDED_TOKENS));
  });
});

describe("many texts", () => {
  const texts = Array.from({ length: 70 }, (_, index) => "x".repeat(index + 1));

  test("are sent in requests of 32, and come back in their order", async () => {
    await offer("mistral");
    const { vectors } = await run({ texts });
    expect(server.seen.map(({ body }) => (body.input as string[]).length)).toEqual([32, 32, 6]);
    expect(vectors).toEqual(texts.map((text) => vectorOf(text)));
    expect(await booksOf(caller)).toEqual(costs(70 * EMBEDDED_TOKENS));
  });

  test("of which some were answered before the provider refused count in full, and nobody else is asked", async () => {
    await offer("openai", "mistral");
    server.does.openai = [ANSWER, refuse(503)];
    expect(await failureOf(run({ texts }))).toMatchObject({
      details: { reason: "providers_unavailable", retryable: false },
    });
    expect(kindsSeen()).toEqual(["openai", "openai"]);
    expect(await booksOf(caller)).toEqual(costs(worstEmbedding(texts).inputTokens));
  });
});

describe("a provider that does not embed", () => {
  test("is passed over for the next one, and costs nothing where it was not paid", async () => {
    await offer("openai", "mistral");
    server.does.openai = [refuse(503)];
    expect((await run()).vectors).toHaveLength(2);
    expect(kindsSeen()).toEqual(["openai", "mistral"]);
    expect(await booksOf(caller)).toEqual(costs(2 * EMBEDDED_TOKENS));
  });

  test("counts in full where it may have been paid", async () => {
    await offer("openai", "mistral");
    server.does.openai = [refuse(502)];
    expect((await run()).vectors).toHaveLength(2);
    expect(await booksOf(caller)).toEqual(costs(WORST + 2 * EMBEDDED_TOKENS));
  });

  test("but answers too few vectors was paid: nobody else is asked", async () => {
    await offer("openai", "mistral");
    server.does.openai = [CUT];
    expect(await failureOf(run())).toMatchObject({ details: { reason: "providers_unavailable", retryable: false } });
    expect(kindsSeen()).toEqual(["openai"]);
    expect(await booksOf(caller)).toEqual(costs(WORST));
  });

  test("within its time is given up", async () => {
    await offer("openai");
    server.does.openai = [{ does: "hang", parts: [] }];
    const timings = { totalMs: 5_000, answerMs: 50, retryMaxMs: 0 };
    const silent = embed(caller.principal, { model: "m", texts: TEXTS }, timings);
    expect(reasonOf(await failureOf(silent))).toBe("providers_unavailable");
    await expect.poll(() => server.seen[0]?.wasAborted).toBe(true);
    expect(await booksOf(caller)).toEqual(costs(WORST));
  });
});

describe("a call", () => {
  test("beyond a budget is refused, and nobody is asked", async () => {
    await offer("openai");
    await ai.putBudget({ id: "all", period: "day", limitMicroUsd: WORST - 1 }, caller);
    expect(reasonOf(await failureOf(run()))).toBe("budget_exhausted");
    expect(server.seen).toEqual([]);
    await ai.putBudget({ id: "all", period: "day", limitMicroUsd: WORST }, caller);
    expect((await run()).vectors).toHaveLength(2);
  });

  test("may choose how long the vectors are, where the model lets it", async () => {
    await offer("openai");
    expect((await run({ dimensions: 5 })).vectors.map(({ length }) => length)).toEqual([5, 5]);
    putBack();
    await offer("mistral");
    server.seen.length = 0;
    expect(reasonOf(await failureOf(run({ dimensions: 5 })))).toBe("request_refused");
    expect(server.seen).toEqual([]);
    expect(await booksOf(caller)).toEqual(costs(2 * EMBEDDED_TOKENS));
  });

  test("whose asker leaves is ended", async () => {
    await offer("openai");
    server.does.openai = [{ does: "hang", parts: [] }];
    const left = new AbortController();
    const failed = failureOf(run({ left: left.signal }));
    await expect.poll(() => server.seen.length).toBe(1);
    left.abort();
    expect(reasonOf(await failed)).toBe("call_given_up");
    await expect.poll(() => server.seen[0]?.wasAborted).toBe(true);
    expect(await booksOf(caller)).toEqual(costs(WORST));
  });

  test.each([
    ["a model that nobody offers", "none"],
    ["a model of a provider that embeds nothing", "only-anthropic"],
  ])("for %s is refused, not answered by another", async (_what, model) => {
    await offer("anthropic", "openai");
    expect(reasonOf(await failureOf(run({ model })))).toBe("model_not_found");
    expect(server.seen).toEqual([]);
  });
});
