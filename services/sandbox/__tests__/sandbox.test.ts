// The endpoint: who may run code, with what, and what is an answer.
import { expect, test, vi } from "vitest";
import { sandbox } from "~encore/clients";
import { limits } from "../../../security/limits";
import { reasonOf } from "../../../security/errors";
import { createCaller } from "../../../testing";
import { sandboxPool } from "../pool";

const member = createCaller();
const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "none",
    (error: unknown) => error,
  );

test("a member runs code, and is told what came of it", async () => {
  const code = "console.log(input.n); return { n: input.n + 1 }";
  const answer = await sandbox.run({ code, input: { n: 1 }, timeoutMs: 5_000 }, member);
  expect(answer).toEqual({
    output: { n: 2 },
    logs: [{ level: "log", text: "1" }],
    durationMs: expect.any(Number) as number,
  });
});

test("what the code does wrong is an answer", async () => {
  const { error, output } = await sandbox.run({ code: "throw new RangeError('no')", timeoutMs: 5_000 }, member);
  expect(output).toBeUndefined();
  expect(error).toMatchObject({ reason: "threw", name: "RangeError", message: "no" });
});

test("the same seed and time give the same answer, with the modules that it brings", async () => {
  const request = {
    code: "const { at } = await import('clock'); return [at(), Math.random()]",
    modules: { clock: "export const at = () => new Date().toISOString()" },
    seed: 7,
    now: "2026-03-29T02:30:00+02:00",
    timeoutMs: 5_000,
  };
  const first = (await sandbox.run(request, member)).output;
  expect(first).toEqual(["2026-03-29T00:30:00.000Z", expect.any(Number)]);
  expect((await sandbox.run(request, member)).output).toEqual(first);
  expect((await sandbox.run({ ...request, seed: 8 }, member)).output).not.toEqual(first);
});

test("it has half a second and 16 MB unless it asks for other", async () => {
  const run = vi.spyOn(sandboxPool(), "run");
  await sandbox.run({ code: "return 1" }, member);
  await sandbox.run({ code: "return 1", timeoutMs: 9_000, memoryMb: 32 }, member);
  expect(run.mock.calls).toMatchObject([
    [member.tenantId, { timeoutMs: 500, memoryMb: 16 }],
    [member.tenantId, { timeoutMs: 9_000, memoryMb: 32 }],
  ]);
  run.mockRestore();
});

test("a viewer runs none", async () => {
  expect(await refusal(sandbox.run({ code: "return 1" }, createCaller("viewer")))).toMatchObject({
    code: "permission_denied",
  });
});

const tower = (levels: number): unknown => (levels === 0 ? 1 : [tower(levels - 1)]);

test.each([
  ["no code", { code: "" }],
  ["code that is too long", { code: " ".repeat(64_001) }],
  ["an input of many levels", { code: "1", input: tower(40) }],
  ["an input of many values", { code: "1", input: new Array(20_001).fill(1) }],
  ["an input that is too large", { code: "1", input: "a".repeat(131_072) }],
  ["no time", { code: "1", timeoutMs: 0 }],
  ["too much time", { code: "1", timeoutMs: 10_001 }],
  ["half a millisecond", { code: "1", timeoutMs: 0.5 }],
  ["too much memory", { code: "1", memoryMb: 65 }],
  ["no memory", { code: "1", memoryMb: 0 }],
  [
    "too many modules",
    { code: "1", modules: Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`m${at}`, ""])) },
  ],
  ["modules that are too long", { code: "1", modules: { a: " ".repeat(32_001), b: " ".repeat(32_000) } }],
  ["a module without a name", { code: "1", modules: { "": "" } }],
  ["a seed that is no whole number", { code: "1", seed: 0.5 }],
  ["a day for a time", { code: "1", now: "2026-01-01" }],
  ["a part of a megabyte", { code: "1", memoryMb: 1.5 }],
])("refuses %s", async (_what, request) => {
  const error = await refusal(sandbox.run(request, member));
  expect(error).toMatchObject({ code: "invalid_argument" });
});

test("a run costs a point for each half second that it may take", async () => {
  const charged = vi.spyOn(limits, "consumeCaller");
  await sandbox.run({ code: "return 1", timeoutMs: 500 }, member);
  await sandbox.run({ code: "return 1", timeoutMs: 10_000 }, member);
  const costs = charged.mock.calls.filter(([policy]) => policy === "sandbox").map(([, , cost = 1]) => cost);
  expect(costs).toEqual([1, 1, 19]);
  charged.mockRestore();
});

test("who waited in vain has paid for the call alone", async () => {
  const run = vi.spyOn(sandboxPool(), "run").mockRejectedValueOnce(new Error("no"));
  const settled = vi.spyOn(limits, "settleCaller");
  const error = await refusal(sandbox.run({ code: "return 1", timeoutMs: 1_000 }, member));
  expect(reasonOf(error)).not.toBe("none");
  expect(settled.mock.calls.map(([policy, , cost]) => [policy, cost])).toEqual([["sandbox", -1]]);
  run.mockRestore();
  settled.mockRestore();
});
