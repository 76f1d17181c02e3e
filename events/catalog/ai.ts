// Events of the ai service.
import { z } from "zod";
import { defineEvent } from "../event";

/** A model was asked, and what it cost is settled. No prompt and no answer is in it. */
export const promptRunRecorded = defineEvent({
  type: "ai.prompt-run.recorded",
  version: 1,
  payload: z.object({
    runId: z.uuid(),
    /** generate, analyze, rag, chat, embeddings. */
    kind: z.string(),
    provider: z.string(),
    model: z.string(),
    /** answered, cut, failed, expired. */
    outcome: z.string(),
    inputTokens: z.int().nonnegative(),
    outputTokens: z.int().nonnegative(),
    costMicroUsd: z.int().nonnegative(),
  }),
});

/** A call got no answer: which providers were asked, and why each did not. */
export const aiErrorsOccurred = defineEvent({
  type: "ai.errors.occurred",
  version: 1,
  payload: z.object({
    callId: z.uuid(),
    kind: z.string(),
    attempts: z.array(z.object({ provider: z.string(), model: z.string(), reason: z.string() })),
  }),
});
