// More tokens than a call can use. Tokenizers of today's models fall back to bytes: a text has at most as many tokens as bytes in
// UTF-8, and what a protocol puts around each message and tool is counted amply. Prompts are bounded (input.ts) below where
// providers begin to charge more for long ones (BerriAI/litellm #40002).
import type { Tokens } from "./ledger";
import type { ModelRequest } from "./providers/model";

const AROUND_CALL = 512;
const AROUND_EACH = 64;
/** What is added to a prompt that is to be answered in JSON. */
const AROUND_SCHEMA = 1_024;

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

export function worstCase({ messages, tools, jsonSchema, maxOutputTokens }: ModelRequest): Tokens {
  const each = AROUND_EACH * (messages.length + (tools?.length ?? 0));
  const schema = jsonSchema === undefined ? 0 : bytesOf(jsonSchema) + AROUND_SCHEMA;
  const inputTokens = AROUND_CALL + each + bytesOf(messages) + (tools === undefined ? 0 : bytesOf(tools)) + schema;
  return { inputTokens, outputTokens: maxOutputTokens };
}

export function worstEmbedding(texts: readonly string[]): Tokens {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return { inputTokens: AROUND_CALL + AROUND_EACH * texts.length + bytes, outputTokens: 0 };
}
