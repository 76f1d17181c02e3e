// The port to a model, whoever provides it: one request, answered part by part. Left out on purpose: retries, budgets and
// fallbacks, which are the gateway's.

export interface ToolCall {
  id: string;
  name: string;
  /** JSON. */
  input: string;
}

export type ChatMessage =
  | { role: "system" | "user"; content: string }
  | { role: "assistant"; content: string; toolCalls?: readonly ToolCall[] }
  | { role: "tool"; content: string; toolCallId: string; toolName: string };

export interface ToolDeclaration {
  name: string;
  description?: string;
  /** JSON Schema. */
  inputSchema: object;
}

export interface ModelRequest {
  messages: readonly ChatMessage[];
  maxOutputTokens: number;
  temperature?: number;
  topP?: number;
  stop?: readonly string[];
  tools?: readonly ToolDeclaration[];
  toolChoice?: "auto" | "none" | "required" | { name: string };
  /** The answer is to be JSON of this schema. */
  jsonSchema?: object;
  /** The prompt says the schema too, and the answer is checked: a provider that knows no schemas may pass it over. */
  isSchemaTold?: boolean;
}

export type FinishReason = "stop" | "length" | "content-filter" | "tool-calls";

export type ModelPart =
  | { type: "text"; text: string }
  /** It thinks, which counts as having begun. */
  | { type: "reasoning"; text: string }
  | ({ type: "tool-call" } & ToolCall)
  /** The last one. Tokens are undefined where the provider does not tell. */
  | { type: "finish"; reason: FinishReason; inputTokens: number | undefined; outputTokens: number | undefined };

/** For one call. */
export interface Model {
  /** Whether a request has left for the provider: what is thrown before was paid by nobody and is not its fault. */
  readonly hasLeft: boolean;
  /**
   * Asks, and answers part by part; nothing is read ahead of who reads. `signal` ends the provider's request.
   * @throws whatever the transport throws (failure.ts tells it apart), also in the midst of the parts
   */
  stream(request: ModelRequest, signal: AbortSignal): Promise<AsyncIterator<ModelPart>>;
}
