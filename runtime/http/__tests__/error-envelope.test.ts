// Errors in the shape and with the codes of the contract that names them so.
import { expect, test } from "vitest";
import { envelopeOf } from "../error-envelope";
import { fromThrown } from "../failure";

test.each([
  ["invalid_argument", "invalid_request", 400, "VALIDATION_ERROR"],
  ["out_of_range", "too_far", 400, "VALIDATION_ERROR"],
  ["not_found", "product_not_found", 404, "NOT_FOUND"],
  ["unauthenticated", "invalid_token", 401, "UNAUTHORIZED"],
  ["deadline_exceeded", "request_timeout", 408, "DB_TIMEOUT"],
  ["internal", "internal_error", 500, "INTERNAL_ERROR"],
  ["no code at all", "x", 500, "INTERNAL_ERROR"],
  ["aborted", "precondition_failed", 409, "PRECONDITION_FAILED"],
  ["resource_exhausted", undefined, 429, "RESOURCE_EXHAUSTED"],
])("%s because of %s is %i and %s", (code, reason, status, told) => {
  const details = reason === undefined ? {} : { reason, fields: { name: 'is "no" name' } };
  const thrown = Object.assign(new Error('a "message"'), { code, details });
  const answer = envelopeOf(fromThrown(thrown));
  expect(answer.status).toBe(status);
  const { error } = JSON.parse(answer.body) as { error: Record<string, unknown> };
  const isInternal = status === 500;
  const message = isInternal ? "an internal error occurred" : 'a "message"';
  expect(error).toEqual({ code: told, message, details });
});

test("what has no details has none", () => {
  const thrown = Object.assign(new Error("gone"), { code: "not_found" });
  expect(JSON.parse(envelopeOf(fromThrown(thrown)).body)).toEqual({
    error: { code: "NOT_FOUND", message: "gone", details: {} },
  });
});
