// The surface of the OpenAI protocol: stock clients work with this base address and an API key, and are refused in its form
// (openai-refusals.ts). Without `auth`, so that it is the guard who refuses strangers, by the tag `can:`, and not the gateway, whose
// form is Encore's. All of it raw, because what Encore writes has Encore's form.
import { api } from "encore.dev/api";
import { commonErrors } from "../../../security/common-errors";
import { parseInput } from "../../../security/input";
import { currentPrincipal } from "../../../security/principal";
import { collect, toldOf } from "../collect";
import { embed, isLocalOffered, LOCAL_MODEL } from "../embeddings";
import { embeddingsInput, answerParts } from "../embeddings-protocol";
import { ask } from "../gateway";
import { shownError } from "../openai-refusals";
import { chatInput, chunksOf, completionOf, problemOf, requestFrom } from "../openai-protocol";
import { readyProviders } from "../providers/registry";
import { answerJson, beginEvents, readJson, whenLeft, writeEvents } from "../raw-http";

/** As POST /v1/chat/completions of the OpenAI protocol, streams and tool calls included; texts only. */
export const chatCompletions = api.raw(
  { expose: true, method: "POST", path: "/ai/v1/chat/completions", tags: ["can:ai.use", "limit:ai", "refuses:openai"] },
  async (req, resp) => {
    const input = parseInput(chatInput, await readJson(req));
    const problem = problemOf(input);
    if (problem !== undefined) throw commonErrors.invalid_request({ fields: { messages: problem } });
    const asked = { kind: "chat" as const, request: requestFrom(input), model: input.model, left: whenLeft(resp) };
    const answer = await ask(currentPrincipal(), asked);
    const created = Math.floor(Date.now() / 1000);
    if (input.stream !== true) return answerJson(resp, completionOf(answer, await collect(answer), created));
    beginEvents(resp);
    const textOf = chunksOf(answer, created, input.stream_options?.include_usage === true);
    try {
      for await (const part of answer.parts()) {
        const text = textOf(part);
        if (text !== "" && !(await writeEvents(resp, text))) break;
      }
    } catch (error) {
      const { reason, message } = toldOf(error);
      const shown = shownError(STREAM_BROKE, reason, message);
      await writeEvents(resp, `data: ${JSON.stringify({ error: shown })}\n\n`);
    }
    resp.end();
  },
);

/** As POST /v1/embeddings of the OpenAI protocol, of texts; `local` names the installation's own model, which costs nothing. */
export const embeddings = api.raw(
  { expose: true, method: "POST", path: "/ai/v1/embeddings", tags: ["can:ai.use", "limit:ai", "refuses:openai"] },
  async (req, resp) => {
    const {
      model,
      input: texts,
      dimensions,
      encoding_format: format,
    } = parseInput(embeddingsInput, await readJson(req));
    const asked = { model, texts, dimensions: dimensions ?? undefined, left: whenLeft(resp) };
    const embedded = await embed(currentPrincipal(), asked);
    resp.setHeader("content-type", "application/json");
    for (const text of answerParts(embedded, format === "base64")) if (!(await writeEvents(resp, text))) break;
    resp.end();
  },
);

interface ShownModel {
  id: string;
  object: "model";
  /** Seconds since the epoch; 0: the providers don't tell. */
  created: number;
  /** The provider's id, or `installation`. */
  owned_by: string;
}

/** What a stream that has begun would have answered: it has no status any more. */
const STREAM_BROKE = 500;

/** As GET /v1/models of the OpenAI protocol: the models of providers that are configured, and `local`, which embeds. */
export const listModels = api.raw(
  { expose: true, method: "GET", path: "/ai/v1/models", tags: ["can:ai.use", "refuses:openai"] },
  async (_req, resp) => {
    const ready = await readyProviders(currentPrincipal());
    const named = ready.flatMap(({ provider }) => provider.models.map(({ name }) => ({ name, by: provider.id })));
    const first = new Map<string, string>();
    for (const { name, by } of named) if (!first.has(name)) first.set(name, by);
    if (isLocalOffered()) first.set(LOCAL_MODEL, "installation");
    const data = [...first].map(([id, by]): ShownModel => ({ id, object: "model", created: 0, owned_by: by }));
    answerJson(resp, { object: "list", data });
  },
);
