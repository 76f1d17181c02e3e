// Embeddings where nothing is paid: what comes in and goes out by the OpenAI protocol, and the installation's own model.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { putSecret } from "../../../secrets/tenant-secret";
import { reasonOf } from "../../../security/errors";
import { createCaller } from "../../../testing";
import { replaceEmbedder } from "../../../vectors/active-embedder";
import { RecordingEmbedder } from "../../../vectors/__tests__/recording-embedder";
import { embed } from "../embeddings";
import { answerParts, embeddingsInput } from "../embeddings-protocol";
import { secretNameOf } from "../providers/registry";
import { booksOf } from "./spending";

const embedder = new RecordingEmbedder();
let putBack: () => void;
beforeAll(() => {
  putBack = replaceEmbedder(embedder);
});
afterAll(() => putBack());

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("the installation's own model", () => {
  test("embeds where nobody is configured, by whatever name, in small requests, and costs nothing", async () => {
    const caller = createCaller();
    const texts = Array.from({ length: 40 }, (_, index) => `tea number ${index}`);
    const { model, vectors, tokens } = await embed(caller.principal, { model: "text-embedding-3-small", texts });
    expect([model, vectors.length, vectors[0]?.length, tokens]).toEqual([embedder.model, 40, embedder.dimensions, 0]);
    expect(vectors).toEqual(await new RecordingEmbedder().embed(texts));
    expect(embedder.batches).toEqual([32, 8]);
    expect(await booksOf(caller)).toEqual({ spent: 0, reserved: 0, entries: 0, open: 0 });
  });

  test("is named local where others are configured, and stands in for none of them", async () => {
    const caller = createCaller("owner");
    await putSecret(caller.principal, secretNameOf("anthropic"), "sk-ant-0123456789abcdef");
    expect((await embed(caller.principal, { model: "local", texts: ["tea"] })).model).toBe(embedder.model);
    const other = embed(caller.principal, { model: "text-embedding-3-small", texts: ["tea"] });
    expect(reasonOf(await failureOf(other))).toBe("model_not_found");
  });

  test("has one length", async () => {
    const sized = embed(createCaller().principal, { model: "local", texts: ["tea"], dimensions: 100 });
    expect(reasonOf(await failureOf(sized))).toBe("invalid_request");
  });

  test("is for an organisation's two calls at once, and asks nothing more for who has left", async () => {
    const { principal } = createCaller();
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    let asked = 0;
    embedder.before = () => {
      asked++;
      return held;
    };
    const left = new AbortController();
    const texts = Array.from({ length: 33 }, () => "tea");
    const calls = [1, 2].map(() => failureOf(embed(principal, { model: "local", texts, left: left.signal })));
    await expect.poll(() => asked).toBe(2);
    expect(reasonOf(await failureOf(embed(principal, { model: "local", texts })))).toBe("rate_limited");
    embedder.batches.length = 0;
    left.abort();
    answer();
    embedder.before = () => undefined;
    expect((await Promise.all(calls)).map(reasonOf)).toEqual(["call_given_up", "call_given_up"]);
    expect(embedder.batches).toEqual([32, 32]);
    expect((await embed(principal, { model: "local", texts: ["tea"] })).vectors).toHaveLength(1);
  });
});

describe("by the OpenAI protocol", () => {
  const model = "m";

  test.each([
    ["nothing", []],
    ["an empty text", ""],
    ["an empty text among others", ["tea", ""]],
    ["numbers of tokens", [1, 2, 3]],
    ["more than 128 texts", Array.from({ length: 129 }, () => "tea")],
    ["a text of more than 32,768 characters", "x".repeat(32_769)],
    ["more than 180,000 bytes in all", Array.from({ length: 6 }, () => "x".repeat(30_001))],
    ["a NUL", "a\u0000b"],
  ])("%s is refused", (_what, input) => {
    expect(embeddingsInput.safeParse({ model, input }).success).toBe(false);
  });

  test("a text and a list of texts are taken, and what changes no vector is passed over", () => {
    expect(embeddingsInput.parse({ model, input: "tea", user: "u" })).toEqual({ model, input: ["tea"] });
    expect(embeddingsInput.parse({ model, input: ["tea", "coffee"] }).input).toEqual(["tea", "coffee"]);
  });

  test("vectors go out as numbers, or as base64 of 32-bit floats", () => {
    const embedded = {
      model,
      vectors: [
        [0.5, -2],
        [1, 0.25],
      ],
      tokens: 7,
    };
    const written = (isBase64: boolean): { data: { embedding: unknown }[] } =>
      JSON.parse([...answerParts(embedded, isBase64)].join("")) as { data: { embedding: unknown }[] };
    expect(written(false)).toEqual({
      ...{ object: "list", model, usage: { prompt_tokens: 7, total_tokens: 7 } },
      data: embedded.vectors.map((embedding, index) => ({ object: "embedding", index, embedding })),
    });
    const [, second] = written(true).data;
    const bytes = Buffer.from(String(second?.embedding), "base64");
    expect([bytes.length, bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([8, 1, 0.25]);
  });
});
