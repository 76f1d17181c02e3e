// A model's answer, whole or as server-sent events.
import { api } from "encore.dev/api";
import { parseInput } from "../../../security/input";
import { currentPrincipal } from "../../../security/principal";
import type { Answer } from "../answer";
import { collect, toldOf } from "../collect";
import { ask } from "../gateway";
import { generateInput, OUTPUT_TOKENS } from "../input";
import type { FinishReason } from "../providers/model";
import { answerJson, beginEvents, readJson, whenLeft, writeEvents } from "../raw-http";

const eventText = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

function finished({ id, provider, model, usage, overBudgets }: Answer, finishReason: FinishReason): object {
  const over = overBudgets.length === 0 ? {} : { overBudgets };
  return { id, provider, model, finishReason, usage, ...over };
}

/** `text` for each piece, `done` with what it cost at the end, or `error`. */
async function stream(answer: Answer, response: Parameters<typeof beginEvents>[0]): Promise<void> {
  beginEvents(response);
  try {
    for await (const part of answer.parts()) {
      const text =
        part.type === "text"
          ? eventText("text", { text: part.text })
          : part.type === "finish"
            ? eventText("done", finished(answer, part.reason))
            : "";
      if (text !== "" && !(await writeEvents(response, text))) break;
    }
  } catch (error) {
    await writeEvents(response, eventText("error", toldOf(error)));
  }
  response.end();
}

/**
 * Asks a model: `{prompt | messages: [{role, content}], model?, stream?, maxOutputTokens?, temperature?}`. Answers
 * `{text, id, provider, model, finishReason, usage: {inputTokens, outputTokens, costMicroUsd}, overBudgets?}`, or with `stream`
 * the same as server-sent events. A client that leaves ends the provider's request, and what it used is settled.
 */
export const generate = api.raw(
  { expose: true, auth: true, method: "POST", path: "/ai/generate", tags: ["can:ai.use", "limit:ai"] },
  async (req, resp) => {
    const {
      messages,
      model,
      stream: isStream,
      maxOutputTokens,
      temperature,
    } = parseInput(generateInput, await readJson(req));
    const request = {
      ...{ messages, maxOutputTokens: maxOutputTokens ?? OUTPUT_TOKENS },
      ...(temperature === undefined ? {} : { temperature }),
    };
    const asked = { kind: "generate" as const, request, model, left: whenLeft(resp) };
    const answer = await ask(currentPrincipal(), asked);
    if (isStream === true) return stream(answer, resp);
    const { text, reason } = await collect(answer);
    answerJson(resp, { text, ...finished(answer, reason) });
  },
);
