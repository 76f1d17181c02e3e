// The outside world of the gateway: a server that speaks the recorded shapes of OpenAI, Anthropic, Mistral and servers of the OpenAI
// protocol (answers as streams, embeddings, errors, 429, 529, streams that are cut, silence), and remembers what it was asked and what it
// would have billed. Shapes: https://platform.openai.com/docs/api-reference/chat-streaming,
// https://docs.anthropic.com/en/api/messages-streaming, https://docs.mistral.ai/api
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AiProvider } from "../../../config/ai";

export type Kind = AiProvider["kind"];

export type Behaviour =
  | { does: "answer"; parts: string[] }
  /** Ends the connection in the midst of the parts. */
  | { does: "cut"; parts: string[] }
  /** Says nothing more after the parts. */
  | { does: "hang"; parts: string[] }
  | { does: "refuse"; status: number; headers?: Record<string, string> }
  /** As many parts as are read, until the connection closes. */
  | { does: "flood" };

export interface SeenRequest {
  kind: Kind;
  key: string;
  body: Record<string, unknown>;
  /** The asker ended it before it was answered. */
  wasAborted: boolean;
  sentBytes: number;
}

export interface ProviderServer {
  seen: SeenRequest[];
  /** Answers that were sent to their end: what a provider bills. */
  billed: number;
  /** What each kind does; the next of the list, the last one for ever. */
  does: Record<Kind, Behaviour[]>;
  providers(kinds: readonly Kind[]): AiProvider[];
  stop(): Promise<void>;
}

export const INPUT_TOKENS = 25;
/** For each text. */
export const EMBEDDED_TOKENS = 4;
/** Numbers that 32 bits hold. */
export const vectorOf = (text: string, dimensions = 3): number[] =>
  Array.from({ length: dimensions }, (_, index) => (text.length + index) / 8);
const PRICE = { input: 1_000_000, output: 2_000_000 };
export const ANSWER: Behaviour = { does: "answer", parts: ["The port", " is 4000", "."] };

/** Events of one kind of stream: how it begins, a part, and its end. */
interface Shape {
  begin: () => string;
  part: (text: string) => string;
  end: (outputTokens: number) => string;
  error: (status: number) => unknown;
}

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (name: string, value: object): string => `event: ${name}\n${data({ type: name, ...value })}`;

function chunk(choice: object | undefined, more: object = {}): string {
  const choices = choice === undefined ? [] : [{ index: 0, logprobs: null, finish_reason: null, ...choice }];
  const head = {
    id: "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    object: "chat.completion.chunk",
    created: 1_741_570_283,
  };
  return data({ ...head, model: "m", service_tier: "default", system_fingerprint: "fp_1", choices, ...more });
}
const usageOf = (output: number): object => ({
  usage: { prompt_tokens: INPUT_TOKENS, completion_tokens: output, total_tokens: INPUT_TOKENS + output },
});

const openai: Shape = {
  begin: () => chunk({ delta: { role: "assistant", content: "", refusal: null } }),
  part: (content) => chunk({ delta: { content } }),
  end: (output) => chunk({ delta: {}, finish_reason: "stop" }) + chunk(undefined, usageOf(output)) + "data: [DONE]\n\n",
  error: () => ({ error: { message: "refused", type: "requests", param: null, code: "refused" } }),
};

const shapes: Record<Kind, Shape> = {
  openai,
  compatible: openai,
  mistral: {
    ...openai,
    end: (output) => chunk({ delta: { content: "" }, finish_reason: "stop" }, usageOf(output)) + "data: [DONE]\n\n",
    error: () => ({ object: "error", message: "refused", type: "invalid_request_error", param: null, code: "1000" }),
  },
  anthropic: {
    begin: () =>
      named("message_start", {
        message: {
          ...{ id: "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", type: "message", role: "assistant", content: [] },
          ...{ model: "m", stop_reason: null, stop_sequence: null },
          usage: { input_tokens: INPUT_TOKENS, output_tokens: 1 },
        },
      }) +
      named("content_block_start", { index: 0, content_block: { type: "text", text: "" } }) +
      named("ping", {}),
    part: (text) => named("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    end: (output) =>
      named("content_block_stop", { index: 0 }) +
      named("message_delta", {
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: output },
      }) +
      named("message_stop", {}),
    error: (status) => ({
      type: "error",
      error: { type: status === 529 ? "overloaded_error" : "api_error", message: "refused" },
    }),
  },
};

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const part of request) text += String(part);
  return JSON.parse(text) as Record<string, unknown>;
}

const isKind = (text: string | undefined): text is Kind => text !== undefined && text in shapes;

export async function startProviderServer(): Promise<ProviderServer> {
  const server = createServer((request, response) => void serve(request, response));
  const state: ProviderServer = {
    ...{ seen: [], billed: 0 },
    does: { openai: [ANSWER], anthropic: [ANSWER], mistral: [ANSWER], compatible: [ANSWER] },
    providers: (kinds) =>
      kinds.map((kind) => ({
        ...{ id: kind, kind, baseUrl: `${url}/${kind}/v1` },
        models: [
          { name: "m", price: PRICE },
          { name: `only-${kind}`, price: PRICE },
        ],
      })),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };

  async function write(response: ServerResponse, seen: SeenRequest, text: string): Promise<void> {
    seen.sentBytes += Buffer.byteLength(text);
    if (response.write(text) || response.destroyed) return;
    const over = new AbortController();
    const { signal } = over;
    await Promise.race(["drain", "close"].map((event) => once(response, event, { signal }).catch(() => undefined)));
    over.abort();
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, kind] = (request.url ?? "").split("/");
    if (!isKind(kind)) return void response.writeHead(404).end();
    const key = String(request.headers["x-api-key"] ?? request.headers.authorization ?? "").replace("Bearer ", "");
    const seen: SeenRequest = { kind, key, body: await bodyOf(request), wasAborted: false, sentBytes: 0 };
    state.seen.push(seen);
    response.on("close", () => (seen.wasAborted = !response.writableFinished));
    const list = state.does[kind];
    const behaviour = (list.length > 1 ? list.shift() : list[0]) ?? ANSWER;
    const shape = shapes[kind];
    if (behaviour.does === "refuse") {
      const headers = { "content-type": "application/json", ...behaviour.headers };
      return void response.writeHead(behaviour.status, headers).end(JSON.stringify(shape.error(behaviour.status)));
    }
    if (request.url?.endsWith("/embeddings") === true) return embeddings(response, seen, behaviour);
    await stream(response, seen, behaviour, shape);
  }

  /** Cut: an answer that lacks the last vector. */
  function embeddings(response: ServerResponse, { body }: SeenRequest, { does }: Behaviour): void {
    if (does === "hang") return;
    const texts = body.input as string[];
    const { dimensions = 3 } = body as { dimensions?: number };
    const shown = texts.map((text, index) => ({ object: "embedding", index, embedding: vectorOf(text, dimensions) }));
    const usage = { prompt_tokens: texts.length * EMBEDDED_TOKENS, total_tokens: texts.length * EMBEDDED_TOKENS };
    const data = does === "cut" ? shown.slice(1) : shown;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ object: "list", data, model: body.model, usage }));
  }

  async function stream(
    response: ServerResponse,
    seen: SeenRequest,
    behaviour: Exclude<Behaviour, { does: "refuse" }>,
    shape: Shape,
  ): Promise<void> {
    const parts = behaviour.does === "flood" ? [] : behaviour.parts;
    if (behaviour.does === "hang" && parts.length === 0) return;
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    await write(response, seen, shape.begin());
    for (const part of parts) await write(response, seen, shape.part(part));
    if (behaviour.does === "hang") return;
    if (behaviour.does === "cut") return void setImmediate(() => response.destroy());
    while (behaviour.does === "flood" && !response.destroyed)
      await write(response, seen, shape.part("x".repeat(1_000)));
    if (response.destroyed) return;
    state.billed++;
    response.end(shape.end(parts.length));
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return state;
}
