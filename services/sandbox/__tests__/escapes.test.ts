// What has led out of other sandboxes leads nowhere here, and the next run is clean.
import { afterAll, expect, test } from "vitest";
import { Pool } from "../pool";
import { escapes, LEAK, sought } from "./escape-kit";

const pool = new Pool({ processes: 2 });
afterAll(() => pool.close());
const run = (code: string): ReturnType<Pool["run"]> => pool.run("t", { code, timeoutMs: 20_000, memoryMb: 16 });

test("more than a hundred ways are tried", () => {
  expect(new Set(escapes).size).toBe(escapes.length);
  expect(escapes.length).toBeGreaterThan(150);
});

test.each(escapes)("leads nowhere: %s", async (expression) => {
  const code = `${LEAK}
    const sought = ${JSON.stringify(sought)};
    const { keys } = Object;
    const typesIn = (x) => sought.filter((name) => x !== null && x !== undefined && x[name] !== undefined);
    let found;
    try { found = await (async () => [await (${expression})])() } catch (e) { found = [e] }
    let all = "";
    for (const name of typesIn(globalThis)) all += "global " + name + ";";
    if (typeof found?.[0] === "object" || typeof found?.[0] === "function")
      for (const name of typesIn(found[0])) all += "found " + name + ";";
    return all`;
  const { output, error } = await run(code);
  // Who breaks what the answer is made with gets none: that is their own loss.
  const isBroken = error !== undefined && /prototype[.[]|JSON\.stringify =/.test(expression);
  expect(isBroken ? "" : output).toBe("");
  expect((await run("return [typeof leak, [1].map((x) => x + 1), JSON.stringify({})]")).output).toEqual([
    "undefined",
    [2],
    "{}",
  ]);
});

test.each([
  ["a frozen console", "'use strict'; console.log = 1", "TypeError"],
  ["a frozen host", "'use strict'; host.fetch = 1", "TypeError"],
  ["a function of the host that was not given", "await host.fetch('http://localhost')", "TypeError"],
  ["a module that was not given", "await import('fs')", "Error"],
  // It is another program then, in the same place.
  ["the end of the code's own function", "}); process.exit(); (async function () {", "ReferenceError"],
])("denies %s", async (_what, code, name) => {
  const { error } = await run(code);
  expect(error).toMatchObject({ reason: "threw", name });
});

test("what is changed of the built-in things is gone in the next run", async () => {
  await run("Object.prototype.a = 1; Array.prototype.map = 1; Promise.prototype.then = null; delete globalThis.JSON");
  const { output } = await run("return [typeof {}.a, [1].map((x) => x + 1), typeof JSON]");
  expect(output).toEqual(["undefined", [2], "object"]);
});

test.each([
  ["toJSON on every object", "Object.prototype.toJSON = () => ({ name: 1 }); throw new Error('a')"],
  ["toJSON with a text", "Object.prototype.toJSON = () => 'a'.repeat(1e5); throw new Error('a')"],
  ["toJSON with nothing", "Object.prototype.toJSON = () => undefined; throw new Error('a')"],
  ["toJSON with null", "Object.prototype.toJSON = () => null; throw new Error('a')"],
  ["an endless getter", "throw { get message() { throw this } }"],
  ["a symbol", "throw Symbol('a')"],
  ["nothing", "throw undefined"],
  ["a big number", "throw 1n"],
  ["a long name", "throw Object.assign(new Error('a'.repeat(1e5)), { name: 'b'.repeat(1e5), stack: 'c'.repeat(1e5) })"],
  ["a forged verdict", "Object.prototype.toJSON = () => ({ reason: 'timeout', name: 'a', message: 'b' }); throw 1"],
])("what is thrown is told in bounds, and as thrown: %s", async (_what, code) => {
  const { error } = await run(code);
  expect(error?.reason).toBe("threw");
  expect(error?.name.length).toBeLessThanOrEqual(1_000);
  expect(error?.message.length).toBeLessThanOrEqual(1_000);
  expect(error?.stack?.length ?? 0).toBeLessThanOrEqual(2_000);
});
