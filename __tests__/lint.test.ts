// The linter's limits, each with a probe: a text that breaks it and must be refused, linted as if it stood in a
// folder of the application. A limit that nothing trips may have been switched off without anybody noticing.
import { join } from "node:path";
import { ESLint } from "eslint";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";

const PROBE = "db/lint-probe.ts";

const root = join(import.meta.dirname, "..");

const { options } = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(root, "tsconfig.json"), (file) => ts.sys.readFile(file)).config,
  ts.sys,
  root,
);
let program: ts.Program | undefined;

/** What the typed rules ask: a program of the probe alone. The whole project takes ten seconds to read. */
function programOf(file: string, text: string): ts.Program {
  const host = ts.createCompilerHost(options, true);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, text, { languageVersion: ts.ScriptTarget.Latest }, true)
      : (program?.getSourceFile(name) ?? read(name, ...rest));
  host.fileExists = (name) => name === file || ts.sys.fileExists(name);
  return (program = ts.createProgram([file], options, host, program));
}

async function rulesBrokenBy(text: string, filePath = PROBE): Promise<string[]> {
  const programs = [programOf(join(root, filePath), text)];
  const eslint = new ESLint({
    cwd: root,
    overrideConfig: {
      files: ["**/*.ts"],
      languageOptions: { parserOptions: { projectService: false, programs } },
    },
  });
  const [result] = await eslint.lintText(text, { filePath });
  return [...new Set(result?.messages.map(({ ruleId, message }) => ruleId ?? message))].sort();
}

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n");

const probes: Record<string, string> = {
  "max-lines": lines(401, (index) => `export const constant${index} = ${index};`),
  "max-lines-per-function": `export function long(out: number[]): void {\n${lines(61, (index) => `  out.push(${index});`)}\n}`,
  complexity: `export function branchy(n: number): number {\n${lines(15, (index) => `  if (n === ${index}) return ${index};`)}\n  return n;\n}`,
  "max-depth":
    "export function deep(a: boolean, out: number[]): void {\n  if (a) { for (const x of out) { if (x) { while (a) { if (x > 1) { out.push(x); } } } } }\n}",
  "max-params":
    "export const many = (a: number, b: number, c: number, d: number, e: number, f: number): number => a + b + c + d + e + f;",
  "no-console": 'export const say = (): void => console.log("x");',
  "no-restricted-properties": "export const home = process.env.HOME;",
  "no-warning-comments": "// TODO: finish\nexport const unfinished = 1;",
  "no-restricted-syntax": "export enum Colour {\n  Red,\n}",
  "@typescript-eslint/no-explicit-any": "export function count(values: any): number {\n  return values ? 1 : 0;\n}",
  "@typescript-eslint/no-floating-promises": "export function forget(work: () => Promise<void>): void {\n  work();\n}",
  "@typescript-eslint/no-misused-promises":
    "export const check = (work: () => Promise<boolean>): number => (work() ? 1 : 2);",
  "@typescript-eslint/consistent-type-imports": 'import { Pool } from "pg";\n\nexport type Held = { pool: Pool };',
  "@typescript-eslint/switch-exhaustiveness-check":
    'export function name(kind: "a" | "b"): string {\n  switch (kind) {\n    case "a":\n      return "first";\n  }\n  return "";\n}',
  "@typescript-eslint/only-throw-error": 'export function fail(): never {\n  throw "text";\n}',
  "@typescript-eslint/no-unsafe-assignment":
    "export const port = (text: string): unknown => {\n  const parsed = JSON.parse(text);\n  return String(parsed);\n};",
  "@typescript-eslint/ban-ts-comment": "// @ts-expect-error\nexport const wrong: number = 1;",
};

// The first text waits for the compiler to read the project.
beforeAll(() => rulesBrokenBy("export const first = 1;"));

describe("the linter's limits", () => {
  test.each(Object.entries(probes))("%s refuses its probe and nothing else does", async (rule, text) => {
    expect(await rulesBrokenBy(text)).toEqual([rule]);
  });

  test("config/ may read the environment, commands may print, nobody keeps an exception that is not needed", async () => {
    expect(await rulesBrokenBy(probes["no-restricted-properties"] ?? "", "config/schema.ts")).toEqual([]);
    expect(await rulesBrokenBy(probes["no-console"] ?? "", "runtime/cli.ts")).toEqual([]);
    expect(await rulesBrokenBy("// eslint-disable-next-line no-console\nexport const unused = 1;")).toEqual([
      expect.stringContaining("Unused eslint-disable"),
    ]);
  });
});
