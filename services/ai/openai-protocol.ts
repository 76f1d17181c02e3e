// The chat completions of the OpenAI protocol, to our own requests and back, so that its stock clients work unchanged. What would
// change an answer and is not supported is refused; what changes none (user, metadata, store, …) is passed over.
// Source: https://platform.openai.com/docs/api-reference/chat
import { z } from "zod";
import type { Answer, Usage } from "./answer";
import { isBounded } from "../../security/bounded-json";
import { canonicalJson, JSON_DEPTH_MAX, JSON_NODES_MAX } from "./bounded-json";
import type { Collected } from "./collect";
import {
  isPromptSized,
  modelName,
  OUTPUT_TOKENS,
  OUTPUT_TOKENS_MAX,
  plainText,
  PROMPT_CHARS_MAX,
  PROMPT_SIZE,
} from "./input";
import type { ChatMessage, FinishReason, ModelPart, ModelRequest, ToolCall } from "./providers/model";

const MESSAGES_MAX = 400;
const TOOLS_MAX = 64;
const SCHEMA_BYTES_MAX = 32_768;

const textPart = z.object({
  type: z.literal("text", "is no text: nothing else is supported"),
  text: plainText(PROMPT_CHARS_MAX),
});
const content = z
  .union([plainText(PROMPT_CHARS_MAX), z.array(textPart).max(100)], "is neither a text nor parts of text")
  .transform((read) => (typeof read === "string" ? read : read.map(({ text }) => text).join("")));

/** Written as it is sent on, so that what is measured is what is sent. */
const argumentsText = plainText(PROMPT_CHARS_MAX).transform((text, context) => {
  const canonical = canonicalJson(text);
  if (canonical !== undefined && canonical.length <= PROMPT_CHARS_MAX) return canonical;
  context.addIssue({ code: "custom", message: `is no JSON, deeper than ${JSON_DEPTH_MAX} levels, or too large` });
  return z.NEVER;
});

const toolCall = z.object({
  id: z.string().min(1).max(200),
  type: z.literal("function"),
  function: z.object({
    name: z.string().min(1).max(64),
    arguments: argumentsText,
  }),
});

const message = z.discriminatedUnion("role", [
  z.object({ role: z.enum(["system", "developer"]), content }),
  z.object({ role: z.literal("user"), content }),
  z.object({
    role: z.literal("assistant"),
    content: content.nullish().transform((text) => text ?? ""),
    tool_calls: z.array(toolCall).max(100).optional(),
  }),
  z.object({ role: z.literal("tool"), content, tool_call_id: z.string().min(1).max(200) }),
]);

/** `JSON.stringify` goes into it by recursion: only where it is no deeper than that bears. */
const isSmall = (value: unknown): boolean =>
  isBounded(value, JSON_DEPTH_MAX, JSON_NODES_MAX) && JSON.stringify(value).length <= SCHEMA_BYTES_MAX;
const schema = z.record(z.string(), z.unknown()).refine(isSmall, {
  error: `is deeper than ${JSON_DEPTH_MAX} levels or larger than ${SCHEMA_BYTES_MAX} bytes`,
  abort: true,
});

const tool = z.object({
  type: z.literal("function"),
  function: z.object({
    name: z.string().regex(/^[\w-]{1,64}$/, "is of other characters"),
    description: plainText(2_000).optional(),
    parameters: schema.optional(),
  }),
});

const tokens = z.int().min(1, "is below 1").max(OUTPUT_TOKENS_MAX, `is above ${OUTPUT_TOKENS_MAX}`);
const none = z.undefined("is not supported").optional();

export const chatInput = z.object({
  model: modelName,
  messages: z.array(message).min(1, "is empty").max(MESSAGES_MAX, `has more than ${MESSAGES_MAX}`),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: tokens.nullish(),
  max_completion_tokens: tokens.nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  stop: z.union([z.string().min(1).max(100), z.array(z.string().min(1).max(100)).max(4)]).nullish(),
  tools: z.array(tool).min(1).max(TOOLS_MAX).optional(),
  tool_choice: z
    .union([
      z.enum(["auto", "none", "required"]),
      z.object({ type: z.literal("function"), function: z.object({ name: z.string().max(64) }) }),
    ])
    .optional(),
  response_format: z
    .union(
      [
        z.object({ type: z.literal("text") }),
        z.object({ type: z.literal("json_schema"), json_schema: z.object({ schema }) }),
      ],
      "is not supported but as text and json_schema",
    )
    .optional(),
  n: z.literal(1, "is not supported above 1").nullish(),
  ...{ logprobs: z.literal(false, "is not supported").nullish(), audio: none, functions: none, function_call: none },
});

export type ChatInput = z.output<typeof chatInput>;

type InputMessage = ChatInput["messages"][number];

function messageFrom(read: InputMessage, toolNames: ReadonlyMap<string, string>): ChatMessage {
  switch (read.role) {
    case "system":
    case "developer":
      return { role: "system", content: read.content };
    case "user":
      return { role: "user", content: read.content };
    case "assistant": {
      const calls = read.tool_calls?.map(({ id, function: { name, arguments: input } }): ToolCall => ({
        id,
        name,
        input,
      }));
      return { role: "assistant", content: read.content, ...(calls === undefined ? {} : { toolCalls: calls }) };
    }
    case "tool": {
      const { content: text, tool_call_id: toolCallId } = read;
      return { role: "tool", content: text, toolCallId, toolName: toolNames.get(toolCallId) ?? "tool" };
    }
  }
}

/** What is wrong with the messages as a whole; undefined when nothing is. */
export function problemOf({ messages, tools, response_format: format }: ChatInput): string | undefined {
  const texts = messages.map((read) => ({ content: JSON.stringify(read) }));
  if (!isPromptSized([...texts, { content: JSON.stringify(tools ?? "") }, { content: JSON.stringify(format ?? "") }]))
    return PROMPT_SIZE;
  return messages.some(({ role }) => role === "user" || role === "tool") ? undefined : "has no message of a user";
}

export function requestFrom(input: ChatInput): ModelRequest {
  const { messages, tools, tool_choice: choice, stop, response_format: format } = input;
  const called = messages.flatMap((read) => (read.role === "assistant" ? (read.tool_calls ?? []) : []));
  const toolNames = new Map(called.map(({ id, function: { name } }) => [id, name]));
  return {
    messages: messages.map((read) => messageFrom(read, toolNames)),
    maxOutputTokens: input.max_completion_tokens ?? input.max_tokens ?? OUTPUT_TOKENS,
    ...(input.temperature == null ? {} : { temperature: input.temperature }),
    ...(input.top_p == null ? {} : { topP: input.top_p }),
    ...(stop == null ? {} : { stop: [stop].flat() }),
    ...(format?.type === "json_schema" ? { jsonSchema: format.json_schema.schema } : {}),
    ...(tools === undefined ? {} : { tools: tools.map(declarationOf), toolChoice: choiceOf(choice) }),
  };
}

function declarationOf({
  function: { name, description, parameters },
}: z.output<typeof tool>): NonNullable<ModelRequest["tools"]>[number] {
  const inputSchema = parameters ?? { type: "object", properties: {} };
  return { name, inputSchema, ...(description === undefined ? {} : { description }) };
}

const choiceOf = (choice: ChatInput["tool_choice"]): NonNullable<ModelRequest["toolChoice"]> =>
  typeof choice === "object" ? { name: choice.function.name } : (choice ?? "auto");

const REASONS: Record<FinishReason, string> = {
  ...{ stop: "stop", length: "length", "content-filter": "content_filter", "tool-calls": "tool_calls" },
};

const shownCall = ({ id, name, input }: ToolCall): object => ({
  id,
  type: "function",
  function: { name, arguments: input },
});

const usageOf = ({ inputTokens, outputTokens }: Usage): object => ({
  ...{ prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens },
});

const headOf = ({ id, model }: Answer, created: number): object => ({ id: `chatcmpl-${id}`, created, model });

/** @param created seconds since the epoch */
export function completionOf(answer: Answer, { text, toolCalls, reason, usage }: Collected, created: number): object {
  const calls = toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(shownCall) };
  const content = text === "" && toolCalls.length > 0 ? null : text;
  const choice = { index: 0, message: { role: "assistant", content, refusal: null, ...calls } };
  return {
    ...headOf(answer, created),
    object: "chat.completion",
    choices: [{ ...choice, logprobs: null, finish_reason: REASONS[reason] }],
    usage: usageOf(usage),
  };
}

/** Makes the events of a stream, part by part. */
export function chunksOf(answer: Answer, created: number, withUsage: boolean): (part: ModelPart) => string {
  const head = { ...headOf(answer, created), object: "chat.completion.chunk" };
  let isFirst = true;
  let calls = 0;
  const chunk = (delta: object, reason: string | null = null): string => {
    const role = isFirst ? { role: "assistant" } : {};
    isFirst = false;
    const choices = [{ index: 0, delta: { ...role, ...delta }, logprobs: null, finish_reason: reason }];
    return `data: ${JSON.stringify({ ...head, choices })}\n\n`;
  };
  return (part) => {
    switch (part.type) {
      case "text":
        return chunk({ content: part.text });
      case "reasoning":
        return "";
      case "tool-call":
        return chunk({ tool_calls: [{ index: calls++, ...shownCall(part) }] });
      case "finish": {
        const usage = withUsage && answer.usage !== undefined ? { usage: usageOf(answer.usage) } : undefined;
        const last = usage === undefined ? "" : `data: ${JSON.stringify({ ...head, choices: [], ...usage })}\n\n`;
        return `${chunk({}, REASONS[part.reason])}${last}data: [DONE]\n\n`;
      }
    }
  };
}
