// A text, read by a model into JSON of a form that the caller gives.
import { api } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { z } from "zod";
import { parseInput } from "../../../security/input";
import { currentPrincipal } from "../../../security/principal";
import { analyzeText } from "../analysis";
import { modelName, storableText } from "../input";
import { answerSchema } from "../json-schema";

interface AnalyzeRequest {
  text: string & MinLen<1> & MaxLen<100000>;
  /**
   * JSON Schema of the answer, an object: `type`, `description`, `enum`, `properties`, `required`, `items`, `additionalProperties`
   * and bounds of numbers, lengths and counts; eight levels at most.
   */
  schema: { [key: string]: unknown };
  model?: string & MinLen<1> & MaxLen<200>;
}

interface CallUsage {
  inputTokens: number;
  outputTokens: number;
  costMicroUsd: number;
}

interface AnalyzeResponse {
  /** Of the schema: what is not is never answered. */
  result: unknown;
  id: string;
  provider: string;
  model: string;
  usage: CallUsage;
}

const input = z.object({
  text: storableText(100_000),
  schema: answerSchema.refine(({ type }) => type === "object", "is of no object"),
  model: modelName.optional(),
});

/** Reads a text into JSON of the given schema. */
export const analyze = api(
  { expose: true, auth: true, method: "POST", path: "/ai/analyze", tags: ["can:ai.use", "limit:ai"] },
  (req: AnalyzeRequest): Promise<AnalyzeResponse> => analyzeText(currentPrincipal(), parseInput(input, req)),
);
