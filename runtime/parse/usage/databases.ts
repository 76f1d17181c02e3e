// What may be done with a database object (L-35), and the SQL texts that are written in place.
import { spotOf } from "../source/modules";
import type { Spot } from "../errors";
import { ts, type TypeScript } from "../typescript";
import type { UsageShape } from "./expressions";
import type { Use } from "./find";
import type { UseContext } from "./rules";
import { sqlProblems } from "./sql-syntax";

const TEMPLATE_METHODS = new Set(["query", "queryRow", "queryAll", "exec"]);
const RAW_METHODS = new Set(["rawQuery", "rawQueryRow", "rawQueryAll", "rawExec"]);
const REMEDY =
  "A database may be called on, or be an argument of a function or constructor; assigning it elsewhere hides its use from the parser.";

interface SqlText {
  text: string;
  spot: Spot;
}

/** Whether the use accesses the database. */
export function databaseUse({ shape }: Use, ctx: UseContext): boolean {
  if (shape.kind !== "other" && shape.kind !== "callee") return true;
  ctx.diagnostics.report("invalid use of database resource", spotOf(shape.node), { remedy: REMEDY });
  return false;
}

/** The text as it stands between the delimiters. */
const rawText = (node: TypeScript.TemplateLiteralLikeNode): string =>
  node
    .getText()
    .replace(/^[`}]/, "")
    .replace(/(`|\$\{)$/, "");

function templateText(template: TypeScript.TemplateLiteral): string {
  if (ts.isNoSubstitutionTemplateLiteral(template)) return rawText(template);
  const rest = template.templateSpans.map((span, index) => `$${index + 1}${rawText(span.literal)}`);
  return rawText(template.head) + rest.join("");
}

function sqlOf(shape: UsageShape): SqlText | undefined {
  if (shape.kind === "template" && TEMPLATE_METHODS.has(shape.name.text)) {
    const { template } = shape.node;
    const text = templateText(template);
    return text === "" ? undefined : { text, spot: spotOf(template) };
  }
  if (shape.kind !== "method" || !RAW_METHODS.has(shape.name.text)) return undefined;
  const [text] = shape.node.arguments;
  return text && ts.isStringLiteral(text) ? { text: text.text, spot: spotOf(text) } : undefined;
}

/** Reports every SQL text in the uses that Postgres could not even read. */
export function checkSql(uses: Use[], { diagnostics }: UseContext): void {
  const found = uses.flatMap((use) => (use.resource.kind === "database" ? (sqlOf(use.shape) ?? []) : []));
  const problems = sqlProblems(found.map(({ text }) => text));
  for (const [index, problem] of problems.entries()) {
    if (problem !== null) diagnostics.report(`invalid database query: ${problem}`, found[index]?.spot);
  }
}
