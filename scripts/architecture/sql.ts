// Finds SQL in TypeScript: literals that read like a statement, and whatever is handed to `.query(…)`.
import ts from "typescript";
import { lineOf, walk, type SourceFile } from "./project";

export interface SqlText {
  text: string;
  line: number;
}

// Keywords in one case throughout: "Select a document" is prose, "select id from …" is not.
const STATEMENT = [
  /^select\s[\s\S]*?\bfrom\s+["\w$(]/,
  /^select\s+(?:[\w.]+\(|\d)/,
  /^insert\s+into\s/,
  /^update\s+(?:only\s+)?[\w."$]+\s+(?:as\s+\w+\s+|\w+\s+)?set\s/,
  /^delete\s+from\s/,
  /^with\s+(?:recursive\s+)?\w+\s*(?:\([^)]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s+)?\(/,
  /^(?:create|alter|drop)\s+(?:or\s+replace\s+|unique\s+|temp\s+|unlogged\s+)*(?:table|schema|index|database|function|policy|role|type|extension|trigger|view|sequence)\b/,
  /^(?:truncate|lock)\s+table\s/,
  /^(?:grant|revoke)\s[\w, ]+\s(?:on|to|from)\s/,
  /^set\s+(?:(?:local|session)\s+\w|(?:role|search_path|statement_timeout|timezone)\b|[\w.]+\s*=\s)/,
  /^(?:listen|unlisten)\s+\w+$/,
];

const QUERY_METHODS = new Set([
  "query",
  "queryRow",
  "queryAll",
  "rawQuery",
  "rawQueryAll",
  "rawQueryRow",
  "rawExec",
  "exec",
]);
const TRANSACTION_WORDS = /^(begin|commit|rollback|savepoint\s+\w+|start transaction)\b/i;

/** Whether a literal's text is an SQL statement (or the beginning of one). */
export function looksLikeSql(text: string): boolean {
  const bare = text.replace(/^(\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)+/, "");
  const keyword = /^[A-Za-z]+/.exec(bare)?.[0] ?? "";
  if (keyword !== keyword.toLowerCase() && keyword !== keyword.toUpperCase()) return false;
  const lower = bare.toLowerCase();
  return STATEMENT.some((pattern) => pattern.test(lower));
}

function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.head.text + node.templateSpans.map((span) => `$0${span.literal.text}`).join("");
}

function isQueryArgument(node: ts.Node): boolean {
  const call = node.parent;
  if (!ts.isCallExpression(call) || call.arguments[0] !== node) return false;
  return ts.isPropertyAccessExpression(call.expression) && QUERY_METHODS.has(call.expression.name.text);
}

/** Every literal of the file with its line; template placeholders read `$0`. */
export function literalsOf(source: SourceFile): { node: ts.Node; text: string; line: number }[] {
  const found: { node: ts.Node; text: string; line: number }[] = [];
  walk(source.ast, (node) => {
    const text = textOf(node);
    if (text !== undefined) found.push({ node, text, line: lineOf(source.ast, node) });
  });
  return found;
}

/** The SQL statements of a file. */
export function sqlOf(source: SourceFile): SqlText[] {
  return literalsOf(source)
    .filter(({ node, text }) => looksLikeSql(text) || (isQueryArgument(node) && TRANSACTION_WORDS.test(text)))
    .map(({ text, line }) => ({ text, line }));
}
