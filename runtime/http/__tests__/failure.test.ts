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
