// Models by the packages of Vercel's AI SDK (@ai-sdk/*), which know each provider's protocol. Only their model classes are used:
// what `ai` itself puts around them (retries of its own, telemetry) would pay twice without the ledger's knowledge.
// They are loaded with the first call (a fifth of a second of a core in all), so that an app without providers has none of it.
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3Message,
  LanguageModelV3StreamPart,
} from "@ai-sdk/provider";
import type { Journey } from "./bounded-fetch";
import { ProviderFailure } from "./failure";
import type { ChatMessage, FinishReason, Model, ModelPart, ModelRequest } from "./model";
import { assertFitsHeader, settingsOf, type Opening } from "./sdk-settings";

type Make = (request: ModelRequest, journey: Journey) => LanguageModelV3;

/** Loads the package, before the time that a provider has to begin. */
async function makerOf(opening: Opening): Promise<Make> {
  const { provider, model } = opening;
  const settingsFor = (request: ModelRequest, journey: Journey) =>
    settingsOf(opening, journey, (body) => assertKept(request, body));
  switch (provider.kind) {
    // Chat completions: what it remembers of a call is nothing.
    case "openai": {
      const { createOpenAI } = await import("@ai-sdk/openai");
      return (...call) => createOpenAI(settingsFor(...call)).chat(model);
    }
    case "anthropic": {
      const { createAnthropic } = await import("@ai-sdk/anthropic");
      return (...call) => createAnthropic(settingsFor(...call))(model);
    }
    case "mistral": {
      const { createMistral } = await import("@ai-sdk/mistral");
      return (...call) => createMistral(settingsFor(...call))(model);
    }
    case "compatible": {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      const made = { baseURL: provider.baseUrl ?? "", name: provider.id, includeUsage: true };
      return (request, journey) => {
        // Not all such servers know schemas: they are asked by one where the caller counts on it.
        const supportsStructuredOutputs = request.jsonSchema !== undefined && request.isSchemaTold !== true;
        const settings = { ...settingsFor(request, journey), ...made, supportsStructuredOutputs };
        return createOpenAICompatible(settings).chatModel(model);
      };
    }
  }
}

/** Of one call. */
export async function openModel(opening: Opening): Promise<Model> {
  const make = await makerOf(opening);
  const journey: Journey = { hasLeft: false };
  return {
    get hasLeft() {
      return journey.hasLeft;
    },
    stream: async (request, signal) => {
      assertFitsHeader(opening);
      const { stream } = await make(request, journey).doStream(optionsOf(request, signal));
      return partsOf(stream);
    },
  };
}

/**
 * The packages leave out or change what they know that a model does not take (temperature of models that reason, say), and warn
 * of it when the provider is at work already. An answer to another question than was asked is none: here it is noticed before.
 * @throws ProviderFailure `request_refused`
 */
function assertKept({ temperature, topP, stop }: ModelRequest, text: unknown): void {
  if (typeof text !== "string" || (temperature === undefined && topP === undefined && stop === undefined)) return;
  const body = JSON.parse(text) as Record<string, unknown>;
  const isKept =
    (temperature === undefined || body.temperature === temperature) &&
    (topP === undefined || body.top_p === topP) &&
    (stop === undefined || JSON.stringify(body.stop ?? body.stop_sequences) === JSON.stringify(stop));
  if (!isKept) throw new ProviderFailure("request_refused", { paid: "nothing" });
}

/** Schemas are the callers' own: those that say nothing of other properties too. */
const ANY_SCHEMA = {
  ...{ openai: { strictJsonSchema: false }, mistral: { strictJsonSchema: false } },
  openaiCompatible: { strictJsonSchema: false },
};

function optionsOf(request: ModelRequest, abortSignal: AbortSignal): LanguageModelV3CallOptions {
  const { messages, maxOutputTokens, temperature, topP, stop, tools, toolChoice, jsonSchema } = request;
  return {
    ...{ prompt: promptOf(messages), maxOutputTokens, abortSignal },
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(stop === undefined ? {} : { stopSequences: [...stop] }),
    ...(jsonSchema === undefined
      ? {}
      : { responseFormat: { type: "json", schema: jsonSchema, name: "answer" }, providerOptions: ANY_SCHEMA }),
    ...(tools === undefined
      ? {}
      : {
          tools: tools.map(({ name, description, inputSchema }) => ({
            ...{ type: "function", name, inputSchema },
            ...(description === undefined ? {} : { description }),
          })),
          toolChoice: toolChoiceOf(toolChoice),
        }),
  };
}

function toolChoiceOf(choice: ModelRequest["toolChoice"]): NonNullable<LanguageModelV3CallOptions["toolChoice"]> {
  return typeof choice === "object" ? { type: "tool", toolName: choice.name } : { type: choice ?? "auto" };
}

/** One message for the model's rules, in front: providers differ in where they take others. */
function promptOf(messages: readonly ChatMessage[]): LanguageModelV3Message[] {
  const rules = messages.filter(({ role }) => role === "system").map(({ content }) => content);
  return [
    ...(rules.length === 0 ? [] : [{ role: "system" as const, content: rules.join("\n\n") }]),
    ...messages.flatMap((message): LanguageModelV3Message[] => {
      switch (message.role) {
        case "system":
          return [];
        case "user":
          return [{ role: "user", content: [{ type: "text", text: message.content }] }];
        case "assistant":
          return [{ role: "assistant", content: assistantContent(message) }];
        case "tool": {
          const output = { type: "text" as const, value: message.content };
          const { toolCallId, toolName } = message;
          return [{ role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output }] }];
        }
      }
    }),
  ];
}

function assistantContent({
  content,
  toolCalls = [],
}: Extract<ChatMessage, { role: "assistant" }>): Extract<LanguageModelV3Message, { role: "assistant" }>["content"] {
  return [
    ...(content === "" ? [] : [{ type: "text" as const, text: content }]),
    ...toolCalls.map(({ id, name, input }) => ({
      ...{ type: "tool-call" as const, toolCallId: id, toolName: name, input: JSON.parse(input) as unknown },
    })),
  ];
}

async function* partsOf(stream: ReadableStream<LanguageModelV3StreamPart>): AsyncGenerator<ModelPart> {
  for await (const part of stream as AsyncIterable<LanguageModelV3StreamPart>) {
    const shown = partOf(part);
    if (shown !== undefined) yield shown;
  }
}

/** @throws what the provider said is wrong, in the midst of its answer */
function partOf(part: LanguageModelV3StreamPart): ModelPart | undefined {
  switch (part.type) {
    case "text-delta":
      return { type: "text", text: part.delta };
    case "reasoning-delta":
      return { type: "reasoning", text: part.delta };
    case "tool-call":
      return { type: "tool-call", id: part.toolCallId, name: part.toolName, input: part.input };
    case "error":
      throw part.error instanceof Error ? part.error : new ProviderFailure("failed", { paid: "unknown" });
    case "finish": {
      const { finishReason, usage } = part;
      // A provider that says how an answer ended says why: without a word it was cut off.
      if (finishReason.raw === undefined) throw new ProviderFailure("cut", { paid: "unknown" });
      const tokens = { inputTokens: usage.inputTokens.total, outputTokens: usage.outputTokens.total };
      return { type: "finish", reason: reasonFrom(finishReason.unified), ...tokens };
    }
    default:
      return undefined;
  }
}

function reasonFrom(unified: string): FinishReason {
  return unified === "length" || unified === "content-filter" || unified === "tool-calls" ? unified : "stop";
}
