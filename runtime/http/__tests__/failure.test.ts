// What handlers throw is read once only where nobody can change it, and describing a failure takes no stack.
import { expect, test } from "vitest";
import { Failure, fromThrown } from "../failure";

const thrown = (details: unknown, more: object = {}): Error =>
  Object.assign(new Error("nobody"), { code: "unauthenticated", details, ...more });
const fixed = (error: Error): Error => Object.freeze(error);

test("an error that nobody can change is the same failure every time", () => {
  for (const error of [fixed(thrown(Object.freeze({ reason: "unauthenticated" }))), fixed(thrown(undefined))]) {
    const failure = fromThrown(error);
    expect(failure).toMatchObject({ code: "unauthenticated", message: "nobody" });
    expect(fromThrown(error)).toBe(failure);
  }
});

test.each([
  ["the error", (details: { at: number }) => thrown(Object.freeze(details))],
  ["its details", (details: { at: number }) => fixed(thrown(details))],
  ["what is in its details", (details: { at: number }) => fixed(thrown(Object.freeze({ deep: details })))],
  ["its cause", (details: { at: number }) => fixed(Object.assign(thrown(undefined), { cause: details }))],
])("one of which somebody can change %s is read each time", (_what, make) => {
  const details = { at: 1 };
  const error = make(details);
  const first = fromThrown(error);
  expect(fromThrown(error)).not.toBe(first);
});

test("a failure has no stack, and leaves the depth of others' stacks alone", () => {
  const { stackTraceLimit } = Error;
  expect(new Failure("internal", "x").stack ?? "").not.toContain("\n    at ");
  expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  expect(new Error("y").stack).toContain("\n    at ");
});

test.each<[string, unknown, readonly string[]]>([
  ["nothing", { reason: "x" }, []],
  ["seconds alone", { retryAfterSeconds: 1.2 }, ["retry-after", "2"]],
  ["a limit without a time", { limit: { name: "auth.ip", quota: 60, windowSeconds: 60 } }, []],
  ["no seconds", { retryAfterSeconds: -1, limit: { name: "auth.ip", quota: 60, windowSeconds: 60 } }, []],
  [
    "a name that is no structured-field string",
    { retryAfterSeconds: 1, limit: { name: 'a"b', quota: 1, windowSeconds: 1 } },
    ["retry-after", "1"],
  ],
  [
    "a name with a line end",
    { retryAfterSeconds: 1, limit: { name: "a\r\nx: y", quota: 1, windowSeconds: 1 } },
    ["retry-after", "1"],
  ],
  [
    "a quota that is no integer",
    { retryAfterSeconds: 1, limit: { name: "a", quota: 1.5, windowSeconds: 1 } },
    ["retry-after", "1"],
  ],
  [
    "a quota of too many digits",
    { retryAfterSeconds: 1, limit: { name: "a", quota: 1e15, windowSeconds: 1 } },
    ["retry-after", "1"],
  ],
  [
    "a window that is a text",
    { retryAfterSeconds: 1, limit: { name: "a", quota: 1, windowSeconds: "60" } },
    ["retry-after", "1"],
  ],
  [
    "a limit",
    { retryAfterSeconds: 37, limit: { name: "auth.accountAtIp", quota: 5, windowSeconds: 900 } },
    [
      "retry-after",
      "37",
      "ratelimit-policy",
      '"auth.accountAtIp";q=5;w=900',
      "ratelimit",
      '"auth.accountAtIp";r=0;t=37',
    ],
  ],
])("of details with %s the answer's headers say as much", (_what, details, headers) => {
  expect(fromThrown(thrown(details)).headers).toEqual(headers);
});
