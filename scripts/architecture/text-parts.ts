// What a text is made of, as far as the file says: through sums, templates, methods of texts and lists, and the variables in which it
// was kept meanwhile. What cannot be followed is a part: a parameter, an answer of a function, a property.
import ts from "typescript";

/** What these answer is made of what they are called on and with. */
const TEXT_METHODS = new Set(["concat", "join", "replace", "replaceAll", "trim", "slice", "toString"]);

/** The parts of the text that `node` is. What stands in a template is not followed further. */
export function textParts(node: ts.Expression | undefined, seen = new Set<ts.Node>()): ts.Expression[] {
  if (node === undefined || seen.has(node)) return [];
  seen.add(node);
  const template = ts.isTaggedTemplateExpression(node) ? node.template : node;
  if (ts.isNoSubstitutionTemplateLiteral(template)) return [];
  if (ts.isTemplateExpression(template)) return template.templateSpans.map((span) => span.expression);
  const inner = innerOf(node);
  return inner === undefined ? [node] : inner.flatMap((part) => textParts(part, seen));
}

/** What one form of expression is made of; undefined for a part. */
function innerOf(node: ts.Expression): readonly ts.Expression[] | undefined {
  if (ts.isStringLiteralLike(node)) return [];
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isNonNullExpression(node))
    return [node.expression];
  if (ts.isConditionalExpression(node)) return [node.whenTrue, node.whenFalse];
  if (ts.isBinaryExpression(node)) return [node.left, node.right];
  if (ts.isArrayLiteralExpression(node)) return node.elements;
  if (ts.isObjectLiteralExpression(node)) return textOf(node);
  if (ts.isSpreadElement(node)) return [node.expression];
  if (ts.isIdentifier(node)) return writtenTo(node);
  return ts.isCallExpression(node) ? ofCall(node) : undefined;
}

/** Of a statement that is handed over with how it is to be sent. */
function textOf({ properties }: ts.ObjectLiteralExpression): ts.Expression[] | undefined {
  const text = properties.find((property) => property.name?.getText() === "text");
  if (text === undefined) return undefined;
  if (ts.isShorthandPropertyAssignment(text)) return [text.name];
  return ts.isPropertyAssignment(text) ? [text.initializer] : undefined;
}

function ofCall({ expression: called, arguments: given }: ts.CallExpression): ts.Expression[] | undefined {
  if (!ts.isPropertyAccessExpression(called) || !TEXT_METHODS.has(called.name.text)) return undefined;
  return [called.expression, ...given];
}

/** Everything that a variable of the file was set to, or had added; undefined for what is none, or is set by others. */
function writtenTo(name: ts.Identifier): ts.Expression[] | undefined {
  for (let scope: ts.Node = name.parent; ; scope = scope.parent) {
    if (ts.isFunctionLike(scope) && scope.parameters.some((parameter) => binds(parameter.name, name.text)))
      return undefined;
    const declared =
      "statements" in scope ? declarationIn(scope.statements as readonly ts.Node[], name.text) : undefined;
    if (declared !== undefined)
      return declared.initializer === undefined && !isLet(declared)
        ? undefined
        : [...(declared.initializer === undefined ? [] : [declared.initializer]), ...additionsIn(scope, name.text)];
    if (ts.isForOfStatement(scope) && isDeclaredBy(scope.initializer, name.text)) return [scope.expression];
    if (ts.isSourceFile(scope)) return undefined;
  }
}

const isDeclaredBy = (initializer: ts.ForInitializer, name: string): boolean =>
  ts.isVariableDeclarationList(initializer) &&
  initializer.declarations.some((declared) => ts.isIdentifier(declared.name) && declared.name.text === name);

const isLet = ({ parent }: ts.VariableDeclaration): boolean => (parent.flags & ts.NodeFlags.Let) !== 0;

/** Whether a name of a parameter, or of what it takes apart, is this one. */
function binds(bound: ts.BindingName, name: string): boolean {
  if (ts.isIdentifier(bound)) return bound.text === name;
  return bound.elements.some((element) => !ts.isOmittedExpression(element) && binds(element.name, name));
}

function declarationIn(statements: readonly ts.Node[], name: string): ts.VariableDeclaration | undefined {
  return statements
    .flatMap((statement) => (ts.isVariableStatement(statement) ? statement.declarationList.declarations : []))
    .find((declared) => ts.isIdentifier(declared.name) && declared.name.text === name);
}

/** What is assigned or added to the name, or pushed onto it. */
function additionsIn(scope: ts.Node, name: string): ts.Expression[] {
  const found: ts.Expression[] = [];
  const isIt = (node: ts.Node): boolean => ts.isIdentifier(node) && node.text === name;
  const step = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && ASSIGNING.has(node.operatorToken.kind) && isIt(node.left))
      found.push(node.right);
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) && isIt(node.expression.expression))
      if (["push", "unshift"].includes(node.expression.name.text)) found.push(...node.arguments);
    ts.forEachChild(node, step);
  };
  step(scope);
  return found;
}

const ASSIGNING = new Set([
  ts.SyntaxKind.EqualsToken,
  ts.SyntaxKind.PlusEqualsToken,
  ts.SyntaxKind.QuestionQuestionEqualsToken,
]);
