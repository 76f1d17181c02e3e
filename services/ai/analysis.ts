// Reads a text into JSON of a schema. The text is data, whatever it says; what the model answers is checked, and an answer that
// does not fit is an error, never a result.
import type { Principal } from "../../security/principal";
import type { Usage } from "./answer";
import { collect } from "./collect";
import { errors } from "./errors";
import { ask, TIMINGS } from "./gateway";
import { fits, parseAnswer, type AnswerSchema } from "./json-schema";
import { asData, DATA_RULE } from "./untrusted";

export interface Analysis {
  result: unknown;
  id: string;
  provider: string;
  model: string;
  usage: Usage;
}

const OUTPUT_TOKENS = 4_096;
/** Whoever asked cannot be seen leaving (an endpoint with types has no signal): not for longer than most clients wait. */
const ANALYSIS_TIMINGS = { ...TIMINGS, totalMs: 120_000 };

/** @throws APIError answer_unusable, and those of ask */
export async function analyzeText(
  principal: Principal,
  { text, schema, model }: { text: string; schema: AnswerSchema; model?: string | undefined },
): Promise<Analysis> {
  const rules = `Read the text between the marks into JSON. Answer JSON alone, of this schema: ${JSON.stringify(schema)}. ${DATA_RULE}`;
  const request = {
    messages: [
      { role: "system" as const, content: rules },
      { role: "user" as const, content: asData(text) },
    ],
    ...{ maxOutputTokens: OUTPUT_TOKENS, jsonSchema: schema, isSchemaTold: true },
  };
  const answer = await ask(principal, { kind: "analyze", request, model }, ANALYSIS_TIMINGS);
  const { text: answered, usage, reason } = await collect(answer);
  const result = parseAnswer(answered);
  if (result === undefined || !fits(result, schema))
    throw errors.answer_unusable({ internal: `finished by ${reason}` });
  return { result, id: answer.id, provider: answer.provider, model: answer.model, usage };
}
