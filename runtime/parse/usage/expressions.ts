// How an identifier that names a resource is used: what surrounds it decides.
import { ts, type TypeScript } from "../typescript";

export type UsageShape =
  | { kind: "field"; name: TypeScript.Identifier; node: TypeScript.Node }
  | { kind: "method"; name: TypeScript.Identifier; node: TypeScript.CallExpression }
  | { kind: "template"; name: TypeScript.Identifier; node: TypeScript.TaggedTemplateExpression }
  | { kind: "callee" | "callArgument" | "constructorArgument" | "other"; node: TypeScript.Node };

function memberUse(id: TypeScript.Identifier, access: TypeScript.PropertyAccessExpression): UsageShape | undefined {
  if (!ts.isIdentifier(access.name)) return undefined;
  const { parent, name } = access;
  if (ts.isCallExpression(parent) && parent.expression === access && !ts.isCallChain(parent))
    return { kind: "method", name, node: parent };
  if (ts.isTaggedTemplateExpression(parent) && parent.tag === access && !ts.isOptionalChain(access))
    return { kind: "template", name, node: parent };
  return { kind: "field", name, node: access };
}

function argumentUse(node: TypeScript.Node): UsageShape | undefined {
  const argument = ts.isSpreadElement(node.parent) ? node.parent : node;
  const { parent } = argument;
  if (ts.isCallExpression(parent) && parent.expression !== argument && !ts.isCallChain(parent))
    return { kind: "callArgument", node: parent };
  return ts.isNewExpression(parent) && parent.expression !== argument
    ? { kind: "constructorArgument", node: parent }
    : undefined;
}

/** Whether a node stands where an expression is expected, as opposed to a name, a pattern or a type. */
function isExpressionPosition(node: TypeScript.Node): boolean {
  const { parent } = node;
  if (!ts.isExpression(node) || ts.isTypeNode(node)) return false;
  if (ts.isIdentifier(node)) return isIdentifierExpression(node, parent);
  return !ts.isPropertyName(node) || !ts.isComputedPropertyName(node);
}

function isIdentifierExpression(node: TypeScript.Identifier, parent: TypeScript.Node): boolean {
  if (
    ts.isTypeNode(parent) ||
    ts.isQualifiedName(parent) ||
    ts.isExportSpecifier(parent) ||
    ts.isShorthandPropertyAssignment(parent)
  )
    return false;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent))
    return parent.initializer === node;
  if (ts.isFunctionLike(parent) || ts.isClassLike(parent) || ts.isTypeParameterDeclaration(parent))
    return "body" in parent && parent.body === node;
  return true;
}

/** The outermost expression that the identifier is part of. */
function outermostExpression(id: TypeScript.Identifier): TypeScript.Node | undefined {
  let outermost: TypeScript.Node | undefined;
  for (let node: TypeScript.Node = id; !ts.isSourceFile(node); node = node.parent)
    if (isExpressionPosition(node)) outermost = node;
  return outermost;
}

/** undefined for what counts as no use: exports, types, computed members. */
export function usageOf(id: TypeScript.Identifier): UsageShape | undefined {
  const { parent } = id;
  if (ts.isPropertyAccessExpression(parent) && parent.expression === id) return memberUse(id, parent);
  if (ts.isElementAccessExpression(parent) && parent.expression === id) return undefined;
  if (ts.isCallExpression(parent) && parent.expression === id && !ts.isCallChain(parent))
    return { kind: "callee", node: parent };
  const asArgument = argumentUse(id);
  if (asArgument) return asArgument;
  const node = outermostExpression(id);
  return node && { kind: "other", node };
}
