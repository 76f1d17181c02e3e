// What comes in by the OpenAI protocol, on values alone: what is measured is what is sent, and nothing deep ends the stack.
import { describe, expect, test } from "vitest";
import { canonicalJson } from "../bounded-json";
import { answerSchema } from "../json-schema";
import { chatInput, problemOf, requestFrom } from "../openai-protocol";
import { worstCase } from "../worst-case";

/** Few and short enough to pass every other bound, and deeper than the usual stack bears. */
const DEEP = 15_000;
const deepList = (): unknown => JSON.parse("[".repeat(DEEP) + "]".repeat(DEEP));

const withCall = (argumentsText: string): object => ({
  model: "m",
  messages: [
    { role: "user", content: "Which port?" },
    {
      role: "assistant",
      tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: argumentsText } }],
    },
    { role: "tool", tool_call_id: "c", content: "4000" },
  ],
});

describe("the arguments of a tool's call", () => {
  test("are measured as they are sent: numbers that grow when they are written again have grown before", () => {
    const numbers = `[${Array.from({ length: 1_000 }, () => "1e20").join(",")}]`;
    const request = requestFrom(chatInput.parse(withCall(numbers)));
    const sent = JSON.stringify(JSON.parse(numbers));
    expect(sent.length).toBeGreaterThan(4 * numbers.length);
    expect(request.messages[1]).toMatchObject({ toolCalls: [{ input: sent }] });
    expect(worstCase(request).inputTokens).toBeGreaterThan(sent.length);
  });

  test("that are too long only as they are sent are refused", () => {
    const numbers = `[${Array.from({ length: 15_000 }, () => "1e20").join(",")}]`;
    expect(numbers.length).toBeLessThan(100_000);
    expect(chatInput.safeParse(withCall(numbers)).success).toBe(false);
  });

  test("count for the prompt's size as they are sent", () => {
    const many = `[${Array.from({ length: 3_500 }, () => "1e20").join(",")}]`;
    const [user, call, result] = (withCall(many) as { messages: unknown[] }).messages;
    const input = chatInput.parse({ model: "m", messages: [user, call, result, call, result, call, result] });
    expect(problemOf(input)).toContain("bytes in all");
  });

  test.each([
    ["no JSON", "{"],
    ["fifteen thousand lists within each other", "[".repeat(DEEP) + "]".repeat(DEEP)],
    ["fifteen thousand lists that never end", "[".repeat(DEEP)],
  ])("are refused as %s", (_what, text) => {
    expect(chatInput.safeParse(withCall(text)).success).toBe(false);
  });

  test("stay what they are otherwise", () => {
    expect(canonicalJson('{"a": [1, "[[[["]}')).toBe('{"a":[1,"[[[["]}');
  });
});

describe("schemas that are deep", () => {
  const messages = [{ role: "user", content: "x" }];

  test.each([
    ["of a tool", { tools: [{ type: "function", function: { name: "f", parameters: { a: deepList() } } }] }],
    ["of an answer", { response_format: { type: "json_schema", json_schema: { schema: { a: deepList() } } } }],
  ])("%s are refused, not an error of ours", (_what, more) => {
    expect(chatInput.safeParse({ model: "m", messages, ...more }).success).toBe(false);
  });

  test("of an analysis are refused, not an error of ours", () => {
    expect(answerSchema.safeParse({ type: "object", properties: deepList() }).success).toBe(false);
    expect(answerSchema.safeParse(undefined).success).toBe(false);
  });

  test("and usual ones are taken", () => {
    const parameters = { type: "object", properties: { port: { type: "integer" } } };
    const tools = [{ type: "function", function: { name: "f", parameters } }];
    expect(requestFrom(chatInput.parse({ model: "m", messages, tools })).tools).toMatchObject([
      { name: "f", inputSchema: parameters },
    ]);
  });
});
