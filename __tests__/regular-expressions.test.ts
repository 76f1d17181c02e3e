// No text from outside may hold up the thread that answers. Every regular expression of the product stands in
// regular-expressions.json with the text that costs it most: `start`, then `piece` again and again, then an end that does not match.
// A new expression is added there, or its file is declared below as one that sees only our own text.
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { overgrowth } from "../scripts/testing/growth";

const root = join(import.meta.dirname, "..");

/** What runs on a developer's machine, on files of the app and of this repository. */
const OWN_TEXT =
  /(?:^|\/)__tests__\/|^(?:scripts|bench|generated)\/|^runtime\/(?:commands|generate|parse|vitest)\/|^[^/]+\.config\.ts$/;

/** Built from variables: an expression as it is in the end. */
const BUILT: Record<string, RegExp> = {
  "auth/refresh-token.ts": /^[\w-]{43}$/,
  "db/transaction-control.ts":
    /^(?:begin|start|commit|end|abort|prepare\s+transaction|rollback(?!(?:\s+(?:work|transaction))?\s+to\b))\b/i,
  "runtime/secrets/cue.ts": /^[0-9a-fA-F]{8}$/,
  "runtime/sql/encode.ts":
    /^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|\{[0-9a-fA-F-]{36}\}|urn:uuid:[0-9a-fA-F-]{36})$/,
};
/** One character at a time, for patterns of the app: matched by an automaton (runtime/schema/regexp.ts). */
const ONE_CHARACTER = new Set(["runtime/schema/regexp.ts", "runtime/schema/regexp-sets.ts"]);

interface Worst {
  start?: string;
  piece: string;
}

const listed = JSON.parse(readFileSync(join(root, "__tests__/regular-expressions.json"), "utf8")) as Record<
  string,
  Record<string, Worst>
>;

function evaluate(file: string, text: string): RegExp | undefined {
  try {
    // Literals and what is put together from literals alone.
    return (new Function(`return ${text}`) as () => RegExp)();
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return BUILT[file];
  }
}

/** The regular expressions of a source, by their text. */
function expressionsOf(file: string): Map<string, RegExp | undefined> {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.ESNext, true);
  const found = new Map<string, RegExp | undefined>();
  const visit = (node: ts.Node): void => {
    const isBuilt =
      (ts.isNewExpression(node) || ts.isCallExpression(node)) && node.expression.getText(source) === "RegExp";
    if (isBuilt && ONE_CHARACTER.has(file)) return;
    if (isBuilt || ts.isRegularExpressionLiteral(node)) {
      const text = node.getText(source).replace(/\s+/g, " ");
      found.set(text, evaluate(file, node.getText(source)));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const sources = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && !file.endsWith(".d.ts") && !OWN_TEXT.test(file));
const expressions = new Map(sources.map((file) => [file, expressionsOf(file)]));

const slowness = (regexp: RegExp, { start = "", piece }: Worst, most = 100_000): Promise<string | undefined> =>
  overgrowth(
    most,
    (size) => `${start}${piece.repeat(Math.ceil(size / piece.length))}\n!`,
    (text) => text.replace(regexp, ""), // once, or at every place where it is global
  );

describe("regular expressions that see text from outside", () => {
  test("all are listed, and nothing else", () => {
    const here = Object.fromEntries(
      [...expressions].filter(([, found]) => found.size > 0).map(([file, found]) => [file, [...found.keys()].sort()]),
    );
    expect(Object.fromEntries(Object.entries(listed).map(([file, all]) => [file, Object.keys(all).sort()]))).toEqual(
      here,
    );
  });

  test.each(Object.entries(listed))("%s: 100 KB of their worst text take a time in proportion", async (file, all) => {
    for (const [text, worst] of Object.entries(all)) {
      const regexp = expressions.get(file)?.get(text);
      expect(regexp, `${text}: put what it is in the end into BUILT`).toBeInstanceOf(RegExp);
      expect(await slowness(regexp as RegExp, worst), text).toBeUndefined();
    }
  });

  test("a quadratic one is told from the rest", async () => {
    // From texts: the linter would find these, which is the point.
    const slow = (pattern: string, piece: string): Promise<string | undefined> =>
      slowness(new RegExp(pattern), { piece }, 40_000); // the whole 100 KB would take it half a minute
    expect(await slow("\\s+$", " ")).toMatch(/^\d+ ms for /);
    expect(await slow("(?<!\\s)\\s+$", " ")).toBeUndefined();
  });
});
