// However much code asks for: it gets what it may have, ends in time, and the next run is clean.
import { afterAll, expect, test } from "vitest";
import { CODE_MAX_CHARS, INPUT_MAX_BYTES, LINE_MAX_CHARS, LINES_MAX, OUTPUT_MAX_BYTES } from "../limits";
import { Pool } from "../pool";
import type { Job } from "../sandbox-process";

const pool = new Pool({ processes: 2 });
afterAll(() => pool.close());
const run = (code: string, more: Partial<Job> = {}): ReturnType<Pool["run"]> =>
  pool.run("t", { code, timeoutMs: 20_000, memoryMb: 16, ...more });

test.each([
  ["a loop", "for (;;);"],
  ["a loop in catch", "for (;;) try { for (;;); } catch {}"],
  ["a loop in finally", "for (;;) try { for (;;); } finally { continue }"],
  ["a promise flood", "const f = () => Promise.resolve().then(f); f(); await new Promise(() => 0)"],
  ["a loop of awaits", "for (;;) await 1"],
  [
    "a flood of promises that branches",
    "const f = () => { Promise.resolve().then(f); Promise.resolve().then(f) }; f(); await new Promise(() => 0)",
  ],
  ["a thenable that never ends", "await { then(f) { f(this) } }"],
  ["an endless generator", "for (const _ of (function* () { for (;;) yield 1 })());"],
  ["a proxy that loops", "new Proxy({}, { get() { for (;;); } }).a"],
  ["toJSON that loops", "return { toJSON() { for (;;); } }"],
  ["a getter that loops", "return { get a() { for (;;); } }"],
  ["a thrown getter that loops", "throw { get name() { for (;;); } }"],
  ["toString that loops", "throw { message: { toString() { for (;;); } } }"],
  ["a regular expression", "/^(a+)+$/.test('a'.repeat(40) + 'b')"],
  ["a join of holes", "new Array(2 ** 32 - 1).join('')"],
  ["a text of holes", "new Array(1e9) + ''"],
  ["sort that loops", "[1, 2].sort(() => { for (;;); })"],
  ["sort of what is not there", "Array.prototype.sort.call({ length: 4e9 })"],
  ["a search in what is not there", "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)"],
  ["a flood of logs", "for (;;) console.log('a'.repeat(1e4))"],
  ["a broken stringify", "JSON.stringify = () => { for (;;); }; for (;;);"],
  ["a number of a million digits", "let n = 3n; for (;;) n *= n"],
])("ends %s at its deadline", { timeout: 60_000 }, async (_what, code) => {
  const { error, logs } = await run(`globalThis.left = 1; ${code}`, { timeoutMs: 60 });
  expect(error?.reason).toMatch(/^(timeout|memory)$/);
  expect(logs.length).toBeLessThanOrEqual(LINES_MAX + 1);
  expect((await run("return typeof left")).output).toBe("undefined");
});

test.each([
  ["an array that grows", "const a = []; for (;;) a.push(a.length)"],
  ["a text that grows", "let s = 'a'; for (;;) s += s"],
  ["a buffer", "new ArrayBuffer(1e9)"],
  ["a buffer that grows", "new ArrayBuffer(8, { maxByteLength: 1e9 }).resize(1e9)"],
  ["many buffers", "const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1))"],
  ["a shared buffer", "const a = []; for (;;) a.push(new SharedArrayBuffer(1e6))"],
  ["a huge repeat", "return 'a'.repeat(2 ** 29).length"],
  ["a huge pad", "return ''.padStart(2 ** 29).length"],
  ["a map that grows", "const m = new Map(); for (let i = 0; ; i++) m.set(i, {})"],
  ["symbols", "const a = []; for (;;) a.push(Symbol('a'.repeat(1e4)))"],
  ["functions", "const a = []; for (let i = 0; ; i++) a.push(new Function('return ' + i))"],
  ["a split", "return 'a'.repeat(3e6).split('').length"],
  ["spread", "return [...'a'.repeat(3e6)].length"],
  ["endless recursion", "const f = () => f() + 1; f()"],
  ["recursion of getters", "const o = { get a() { return this.a } }; return o.a"],
  ["recursion of JSON", "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a"],
  ["recursion of a reviver", "JSON.parse('['.repeat(1e5) + ']'.repeat(1e5), (_k, v) => v)"],
  ["recursion of a pattern", "new RegExp('('.repeat(1e5) + ')'.repeat(1e5))"],
  ["recursion of source text", "eval('['.repeat(1e5) + ']'.repeat(1e5))"],
  ["a circle", "const a = {}; a.a = a; return a"],
  ["nothing that comes", "await new Promise(() => 0)"],
])("has no room for %s", { timeout: 60_000 }, async (_what, code) => {
  const { error, output } = await run(`globalThis.left = 1; ${code}`);
  expect(output).toBeUndefined();
  expect(error?.reason).toMatch(/^(memory|threw|crashed|unsettled)$/);
  expect((await run("return typeof left")).output).toBe("undefined");
});

test.each([
  [16, 15, "none"],
  [16, 17, "memory|threw"],
  [64, 60, "none"],
  [64, 68, "memory|threw"],
  [4, 3, "none"],
  [4, 5, "memory|threw"],
  [1, 0.7, "none"],
  [1, 1.5, "memory|threw"],
])("with %d MB, code that keeps %d MB: %s", async (memoryMb, keptMb, expected) => {
  const code = `const a = []; for (let i = 0; i < ${keptMb * 10}; i++) a.push(new Uint8Array(1e5).fill(1)); return a.length`;
  const { error } = await run(code, { memoryMb });
  expect(error?.reason ?? "none").toMatch(new RegExp(`^(${expected})$`));
});

test("takes code, input and output as large as they may be, and no larger output", { timeout: 60_000 }, async () => {
  const code = `return input;${" ".repeat(CODE_MAX_CHARS - 13)}`;
  const input = JSON.stringify("é".repeat((INPUT_MAX_BYTES - 2) / 2));
  expect([code.length, Buffer.byteLength(input)]).toEqual([CODE_MAX_CHARS, INPUT_MAX_BYTES]);
  expect((await run(code, { input })).output).toBe(JSON.parse(input));
  const outputOf = (chars: number): ReturnType<Pool["run"]> => run(`return '"'.repeat(${chars})`);
  // A quotation mark takes two bytes of JSON, and four in the line that brings it.
  const largest = OUTPUT_MAX_BYTES / 2 - 1;
  expect((await outputOf(largest)).output).toHaveLength(largest);
  expect((await outputOf(largest + 1)).error?.reason).toBe("output");
  expect((await run(`return 'é'.repeat(${OUTPUT_MAX_BYTES / 2})`)).error?.reason).toBe("output");
  expect((await run("return 'a'.repeat(5e6)", { memoryMb: 64 })).error?.reason).toBe("output");
});

test.each([
  ["an output of many levels", "let a = []; for (let i = 0; i < 40; i++) a = [a]; return a"],
  ["an output of many values", "return new Array(20_001).fill(1)"],
])("refuses %s", async (_what, code) => {
  expect((await run(code)).error).toMatchObject({ reason: "output", name: "OutputError" });
});

test("the console's lines are bounded in number and length, and a last one says so", async () => {
  const { logs, output } = await run("for (let i = 0; i < 1e4; i++) console.info('a'.repeat(5_000)); return 1");
  expect(output).toBe(1);
  expect(logs).toHaveLength(LINES_MAX + 1);
  expect(new Set(logs.map(({ text }) => text.length > LINE_MAX_CHARS))).toEqual(new Set([false]));
  expect(logs[0]).toEqual({ level: "info", text: `${"a".repeat(LINE_MAX_CHARS - 1)}…` });
  expect(logs.at(-1)).toEqual({ level: "warn", text: "further lines are left out" });
});

test("takes JSON and answers JSON, with what was logged", async () => {
  const code = "console.warn('n', { n: 1 }, undefined, new Error('e')); return { n: input.n + 1 }";
  const { output, logs, error } = await run(code, { input: '{"n":1}' });
  expect({ output, logs, error }).toEqual({
    output: { n: 2 },
    logs: [{ level: "warn", text: 'n {"n":1} undefined Error: e' }],
    error: undefined,
  });
});

test.each([
  ["throw new TypeError('no')", { reason: "threw", name: "TypeError", message: "no" }],
  ["throw 'no'", { reason: "threw", name: "Thrown", message: "no" }],
  ["return {", { reason: "threw", name: "SyntaxError" }],
  ["await new Promise(() => 0)", { reason: "unsettled", name: "UnsettledError" }],
])("tells what went wrong: %s", async (code, expected) => {
  expect((await run(code)).error).toMatchObject(expected);
});

test.each(["return undefined", "return () => 1", "return Symbol()", ""])("has no output for: %s", async (code) => {
  const outcome = await run(code);
  expect([outcome.error, "output" in outcome]).toEqual([undefined, false]);
});

test("is the same again for the same seed and clock", async () => {
  const code =
    "return [Math.random(), Math.random(), Date.now(), +new Date(), new Date(5).getTime(), typeof performance]";
  const first = (await run(code, { seed: 7, nowMs: 1 })).output;
  expect(first).toEqual([expect.any(Number), expect.any(Number), 1, 1, 5, "undefined"]);
  expect((await run(code, { seed: 7, nowMs: 1 })).output).toEqual(first);
  expect((await run(code, { seed: 8, nowMs: 1 })).output).not.toEqual(first);
});

test("imports the modules that it was given, and those import one another", async () => {
  const modules = {
    double: "export default (n) => n * 2",
    all: "import d from 'double'; export const f = (n) => d(n) + 1",
  };
  const code = "const { f } = await import('all'); return f(20)";
  expect((await run(code, { modules })).output).toBe(41);
  expect((await run("await import('other')", { modules })).error?.message).toContain("there is no module other");
});
