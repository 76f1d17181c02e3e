// What handlers throw is read once only where nobody can change it, and describing a failure takes no stack.
import { expect, test } from "vitest";
import { failureOf } from "../call-answer";
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
  ["that it is not to be repeated", { retryAfterSeconds: 1, retryable: false }, ["x-should-retry", "false"]],
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

test.each<[string, (read: () => number) => unknown]>([
  [
    "values",
    (read) => ({
      rows: Array.from({ length: 40_000 }, () => ({
        get a() {
          return read();
        },
      })),
    }),
  ],
  [
    "entries of a list",
    (read) =>
      Array.from({ length: 40_000 }, () => ({
        get a() {
          return read();
        },
      })),
  ],
  [
    "long texts",
    (read) => ({
      rows: Array.from({ length: 1000 }, () => ({
        get a() {
          return read() && "x".repeat(10_000);
        },
      })),
    }),
  ],
  ["characters of one text", () => ({ text: "x".repeat(3 << 20) })],
  ["characters of one key", () => ({ ["x".repeat(3 << 20)]: 1 })],
  ["long keys", () => Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`${n}${"x".repeat(4000)}`, 1]))],
  ["middling texts", () => ({ rows: Array(15_000).fill("x".repeat(4000)) })],
])("details of too many %s are refused before they are written, as what cannot be sent", (_what, make) => {
  let seen = 0;
  const failure = fromThrown(thrown(make(() => ++seen)));
  expect(failure).toMatchObject({ code: "internal", message: "an internal error occurred", details: null });
  expect(failure.internal).toMatch(/^unable to parse error details: InvalidArg, too large: /);
  expect(seen).toBeLessThanOrEqual(20_000 + 128);
});

test("details below that are kept, and a message of any length is cut", () => {
  const details = { rows: Array(15_000).fill(1) };
  const failure = fromThrown(thrown(details, { message: "m".repeat(1 << 20) }));
  expect(failure).toMatchObject({ code: "unauthenticated", details: JSON.stringify(details) });
  expect(failure.message).toBe(`${"m".repeat(64 << 10)}…`);
});

test("an error that another service answers with is read up to a bound", () => {
  const answer = (text: string) => ({
    status: 400,
    headers: null,
    body: `{"code":"aborted","message":"${text}","details":null}`,
  });
  expect(failureOf(answer("x"))).toMatchObject({ code: "aborted", message: "x" });
  const { code, message } = failureOf(answer("x".repeat(2 << 20)));
  expect(code).toBe("invalid_argument");
  expect(message).toMatch(/^unable to parse error response: 2097\d+ characters are too many/);
});
