// A whole answer, for those who don't read it part by part.
import { reasonOf } from "../../security/errors";
import { logger } from "../../telemetry/logger";
import type { Answer, Usage } from "./answer";
import { errors } from "./errors";
import { ProviderFailure } from "./providers/failure";
import type { FinishReason, ToolCall } from "./providers/model";

export interface Collected {
  text: string;
  toolCalls: ToolCall[];
  reason: FinishReason;
  usage: Usage;
}

/** As much as fits into what is bounded by tokens anyway. */
const TEXT_CHARS_MAX = 1 << 20;

/** @throws APIError providers_unavailable, call_given_up: it ended early, and is settled */
export async function collect(answer: Answer): Promise<Collected> {
  let text = "";
  const toolCalls: ToolCall[] = [];
  let reason: FinishReason = "stop";
  try {
    for await (const part of answer.parts()) {
      if (part.type === "text") text += part.text;
      else if (part.type === "tool-call") toolCalls.push({ id: part.id, name: part.name, input: part.input });
      else if (part.type === "finish") reason = part.reason;
      if (text.length > TEXT_CHARS_MAX) throw new ProviderFailure("failed", { paid: "unknown" });
    }
  } catch (error) {
    throw endedEarly(error);
  }
  return { text, toolCalls, reason, usage: answer.usage ?? { inputTokens: 0, outputTokens: 0, costMicroUsd: 0 } };
}

/** What is told of an answer that ended early. It had begun: what came of it was paid. */
export function endedEarly(error: unknown): Error {
  if (!(error instanceof ProviderFailure)) return error as Error;
  const told = { internal: error.reason, retryable: false } as const;
  return error.reason === "given_up" ? errors.call_given_up(told) : errors.providers_unavailable(told);
}

/** What a stream that has begun tells of its early end; nothing of an error of our own. */
export function toldOf(error: unknown): { reason: string; message: string } {
  const told = endedEarly(error);
  const reason = reasonOf(told);
  if (reason !== undefined) return { reason, message: told.message };
  logger("ai").error({ err: error }, "a stream ended by an internal error");
  return { reason: "internal_error", message: "an internal error occurred" };
}
