// Refusals in the OpenAI protocol's form: what each of ours becomes. What stock clients make of it: openai-refusals.pg.test.ts.
import { expect, test } from "vitest";
import type { Refusal } from "../../../security/refusal-forms";
import { openAiRefusal } from "../openai-refusals";

const refusal = (status: number, reason: string, details: object = {}): Refusal => ({
  ...{ status, message: "a text" },
  details: { reason, requestId: "r", ...details },
});

test.each([
  [refusal(400, "invalid_request"), 400, "invalid_request_error"],
  [refusal(400, "ai_not_configured"), 400, "invalid_request_error"],
  [refusal(401, "unauthenticated"), 401, "authentication_error"],
  [refusal(403, "permission_denied"), 403, "permission_error"],
  [refusal(404, "model_not_found"), 404, "invalid_request_error"],
  [refusal(409, "organisation_mismatch"), 409, "invalid_request_error"],
  [refusal(429, "rate_limited"), 429, "rate_limit_error"],
  [refusal(429, "budget_exhausted"), 429, "insufficient_quota"],
  [refusal(500, "internal_error"), 500, "server_error"],
  [refusal(503, "providers_unavailable"), 503, "service_unavailable_error"],
  [refusal(504, "call_given_up"), 504, "server_error"],
  [refusal(400, "invalid_request", { bodyBytesMax: "10" }), 413, "invalid_request_error"],
])("%o is status %i of type %s", (given, status, type) => {
  const answer = openAiRefusal(given);
  expect(answer.status).toBe(status);
  const { error } = answer.body as { error: object };
  expect(Object.keys(error).sort()).toEqual(["code", "message", "param", "type"]);
  expect(error).toMatchObject({ type, code: given.details.reason });
});

test("names the field in param, and what is wrong with each of the first three in the message", () => {
  const fields = { "(body)": "is odd", "messages.0.content": "is no text", n: "is above 1", stop: "is empty" };
  const { body } = openAiRefusal(refusal(400, "invalid_request", { fields }));
  const message = "a text (the body is odd; messages.0.content: is no text; n: is above 1)";
  expect(body).toMatchObject({ error: { param: "messages.0.content", message } });
});

test("tells clients not to wait for what takes longer than a minute", () => {
  const headersOf = (retryAfterSeconds: number) => openAiRefusal(refusal(429, "x", { retryAfterSeconds })).headers;
  expect(headersOf(60)).toEqual({ "x-request-id": "r" });
  expect(headersOf(61)).toEqual({ "x-request-id": "r", "x-should-retry": "false" });
});
