// Whose a thing is, the guard asks: an endpoint says `owns:<thing>`, and the room that keeps it says once whose it is
// (security/ownership.ts). A comparison by hand is one that the next handler forgets. What compares with the caller for
// another reason is in the list below.
import ts from "typescript";
import { isTest, lineOf, walk, type Project, type Rule, type SourceFile, type Violation } from "../project";

/** By file and comparison, as it is written there. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // Not who may see or manage the key, but who may learn its next secret, with which they act as its maker: asked under the lock of the
  // rotation, and a holder of api_key.manage who is not its maker is told so.
  "auth/api-keys.ts": ["key.accountId !== principal.subjectId"],
  // A task that is followed: the endpoint says owns:job, and this asks the same again while its stream is open.
  "queues/api/tasks.ts": ["(await taskActor(principal, id)) === actorOf(principal)"],
  // Nobody hands an organisation over to themselves.
  "auth/organisation-life.ts": ["userId === principal.subjectId"],
  // A challenge is sealed for whom it was made, and is no stored thing.
  "auth/factors/step-up.ts": ["challenge?.accountId !== subjectId"],
};

const EQUALITY = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
]);
const OWNERS = new Set(["createdBy", "ownerId", "startedBy"]);

/** The caller's own id, or the name under which messages know them. */
function isCaller(node: ts.Expression): boolean {
  if (ts.isCallExpression(node)) return node.expression.getText() === "actorOf";
  const name = ts.isPropertyAccessExpression(node) ? node.name : node;
  return ts.isIdentifier(name) && name.text === "subjectId";
}

const isOwner = (node: ts.Expression): boolean => ts.isPropertyAccessExpression(node) && OWNERS.has(node.name.text);
const isAbsence = (node: ts.Expression): boolean => /^(?:null|undefined)$/.test(node.getText());

function comparisonsIn(source: SourceFile): ts.BinaryExpression[] {
  const found: ts.BinaryExpression[] = [];
  walk(source.ast, (node) => {
    if (!ts.isBinaryExpression(node) || !EQUALITY.has(node.operatorToken.kind)) return;
    const sides = [node.left, node.right];
    if (sides.some((side) => isCaller(side) || isOwner(side)) && !sides.some(isAbsence)) found.push(node);
  });
  return found;
}

function check(project: Project): Violation[] {
  const shipped = [...project.sources.values()].filter(
    ({ path }) => !isTest(path) && !/^(security|runtime|scripts|bench)\//.test(path),
  );
  return shipped.flatMap((source) =>
    comparisonsIn(source)
      .map((node) => ({ node, text: node.getText().replace(/\s+/g, " ") }))
      .filter(({ text }) => ALLOWED[source.path]?.includes(text) !== true)
      .map(({ node, text }) => ({
        rule: "owner-checks",
        file: source.path,
        line: lineOf(source.ast, node),
        message: `asks by hand whose a thing is ("${text.slice(0, 60)}"): tag the endpoint with owns:<thing> and say it once with declareOwner`,
      })),
  );
}

export const ownerChecks: Rule = {
  name: "owner-checks",
  promise: "whose a thing is, endpoints declare and the guard asks",
  check,
};
