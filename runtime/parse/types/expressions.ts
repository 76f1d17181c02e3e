// The types of expressions, as far as `typeof` of a constant needs them: literals stay literal.
import { ts, type TypeScript } from "../typescript";
import { isShadowed } from "../source/bindings";
import { docOf } from "../source/comments";
import { spotOf } from "../source/modules";
import { named, type Env, type TypeContext } from "./context";
import { render } from "./debug-text";
import { memberType } from "./member-access";
import { merge } from "./union";
import { basic, isBasic, literal, NEVER, union, type Type, type TypeField } from "./type";

function identifier(node: TypeScript.Identifier, env: Env, ctx: TypeContext): Type {
  if (node.text === "undefined" && !ctx.lookup(node.text, env.module)) return ctx.refuse(node, "unknown identifier");
  const found = isShadowed(node) ? undefined : ctx.lookup(node.text, env.module);
  return found ? named(found.declared, found.module) : ctx.refuse(node, "unknown identifier");
}

function propertyKey(name: TypeScript.PropertyName, env: Env, ctx: TypeContext): string {
  if (!ts.isComputedPropertyName(name)) return name.text;
  const type = ctx.expression(name.expression, env);
  if (type.kind === "literal" && (typeof type.value === "string" || typeof type.value === "number"))
    return String(type.value);
  ctx.refuse(name, "unsupported computed prop");
  return "";
}

function spread(node: TypeScript.SpreadAssignment, env: Env, ctx: TypeContext): TypeField[] {
  const type = ctx.expression(node.expression, env);
  if (type.kind === "interface") return type.fields;
  ctx.refuse(node, "unsupported spread");
  return [];
}

function objectLiteral(node: TypeScript.ObjectLiteralExpression, env: Env, ctx: TypeContext): Type {
  const fields = node.properties.flatMap((property): TypeField[] => {
    if (ts.isSpreadAssignment(property)) return spread(property, env, ctx);
    const base = { name: propertyKey(property.name, env, ctx), optional: false, spot: spotOf(property) };
    const doc = docOf(property);
    const field = { ...base, ...(doc !== undefined && { doc }) };
    if (ts.isPropertyAssignment(property)) return [{ ...field, type: ctx.expression(property.initializer, env) }];
    if (!ts.isShorthandPropertyAssignment(property)) return [{ ...field, type: basic("unknown") }];
    const found = ctx.lookup(property.name.text, env.module);
    return [
      {
        ...field,
        type: found ? ctx.declaredType(found.declared, found.module) : ctx.refuse(property.name, "unknown identifier"),
      },
    ];
  });
  return { kind: "interface", fields };
}

/** Encore gives an array literal the empty union; in extended mode it is a list of what stands in it. */
function arrayLiteral(node: TypeScript.ArrayLiteralExpression, env: Env, ctx: TypeContext): Type {
  const types = node.elements.map((element) =>
    ctx.expression(ts.isSpreadElement(element) ? element.expression : element, env),
  );
  return ctx.extended ? { kind: "tuple", types } : union([]);
}

function prefixed(node: TypeScript.PrefixUnaryExpression, env: Env, ctx: TypeContext): Type {
  if (node.operator === ts.SyntaxKind.PlusToken) return basic("number");
  const type = ctx.expression(node.operand, env);
  if (node.operator !== ts.SyntaxKind.MinusToken) return type;
  return type.kind === "literal" && typeof type.value === "number" ? literal(-type.value) : type;
}

const isAssignment = (kind: TypeScript.SyntaxKind): boolean =>
  kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;

function binary(node: TypeScript.BinaryExpression, env: Env, ctx: TypeContext): Type {
  const { kind } = node.operatorToken;
  if (kind === ts.SyntaxKind.CommaToken || isAssignment(kind)) return ctx.expression(node.right, env);
  const left = ctx.expression(node.left, env);
  return merge(left, ctx.expression(node.right, env)) ?? left;
}

function nonNull(type: Type): Type {
  if (type.kind === "optional") return type.type;
  if (type.kind !== "union") return type;
  const kept = type.types.filter((member) => !isBasic(member, "undefined", "null"));
  const [only] = kept;
  if (!only) return NEVER;
  return kept.length === 1 ? only : union(kept);
}

function awaited(type: Type, ctx: TypeContext): Type {
  const isPromise = type.kind === "named" && type.declared.name === "Promise" && ctx.isUniverse(type.module);
  return (isPromise ? type.args[0] : undefined) ?? basic("unknown");
}

function returned(type: Type, node: TypeScript.Node, ctx: TypeContext): Type {
  if (type.kind === "function") return type.returns;
  if (type.kind === "named") return returned(ctx.underlying(type), node, ctx);
  if (type.kind !== "interface") return ctx.refuse(node, `cannot call non-function type ${render(type)}`);
  const [only, ...others] = type.calls ?? [];
  if (!only) return ctx.refuse(node, "cannot call non-callable interface");
  if (!others.length) return only.returns;
  return ctx.refuse(
    node,
    "cannot call interface with multiple overloaded signatures (overload resolution not yet implemented)",
  );
}

function literalExpression(node: TypeScript.Expression, ctx: TypeContext): Type | undefined {
  if (ts.isStringLiteral(node)) return literal(node.text);
  if (ts.isNumericLiteral(node)) return literal(Number(node.text));
  if (ts.isBigIntLiteral(node)) return basic("bigint");
  if (ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node)) return basic("string");
  if (ts.isRegularExpressionLiteral(node)) return ctx.refuse(node, "regex not yet supported");
  switch (node.kind) {
    case ts.SyntaxKind.TrueKeyword:
      return literal(true);
    case ts.SyntaxKind.FalseKeyword:
      return literal(false);
    case ts.SyntaxKind.NullKeyword:
      return basic("null");
    case ts.SyntaxKind.ThisKeyword:
      return { kind: "this" };
    default:
      return undefined;
  }
}

function wrapped(node: TypeScript.Expression, env: Env, ctx: TypeContext): Type | undefined {
  if (ts.isParenthesizedExpression(node) || ts.isSatisfiesExpression(node) || ts.isNewExpression(node))
    return ctx.expression(node.expression, env);
  if (ts.isExpressionWithTypeArguments(node)) return ctx.expression(node.expression, env);
  if (ts.isAsExpression(node) || ts.isTypeAssertionExpression(node)) {
    return ts.isConstTypeReference(node.type) ? ctx.expression(node.expression, env) : ctx.type(node.type, env);
  }
  if (ts.isNonNullExpression(node)) return nonNull(ctx.expression(node.expression, env));
  if (ts.isAwaitExpression(node)) return awaited(ctx.expression(node.expression, env), ctx);
  if (ts.isVoidExpression(node)) return basic("undefined");
  if (ts.isTypeOfExpression(node)) return basic("string");
  if (ts.isPostfixUnaryExpression(node)) return ctx.expression(node.operand, env);
  return ts.isDeleteExpression(node) ? ctx.expression(node.expression, env) : undefined;
}

function compound(node: TypeScript.Expression, env: Env, ctx: TypeContext): Type | undefined {
  if (ts.isOptionalChain(node)) return ctx.refuse(node, "optional chaining not yet supported");
  if (ts.isObjectLiteralExpression(node)) return objectLiteral(node, env, ctx);
  if (ts.isArrayLiteralExpression(node)) return arrayLiteral(node, env, ctx);
  if (ts.isPrefixUnaryExpression(node)) return prefixed(node, env, ctx);
  if (ts.isBinaryExpression(node)) return binary(node, env, ctx);
  if (ts.isPropertyAccessExpression(node)) return memberType(ctx.expression(node.expression, env), node.name, env, ctx);
  if (ts.isElementAccessExpression(node))
    return memberType(ctx.expression(node.expression, env), node.argumentExpression, env, ctx);
  if (ts.isCallExpression(node)) return returned(ctx.expression(node.expression, env), node, ctx);
  if (!ts.isConditionalExpression(node)) return undefined;
  const types = [ctx.expression(node.whenTrue, env), ctx.expression(node.whenFalse, env)] as const;
  return merge(...types) ?? union([...types]);
}

function unsupported(node: TypeScript.Expression): string {
  if (ts.isArrowFunction(node)) return "arrow expr not yet supported";
  if (ts.isFunctionExpression(node)) return "fn expr not yet supported";
  if (ts.isClassExpression(node)) return "class expr not yet supported";
  return ts.isTaggedTemplateExpression(node) ? "tagged template not yet supported" : "expression not yet supported";
}

export function expressionType(node: TypeScript.Expression, env: Env, ctx: TypeContext): Type {
  if (ts.isIdentifier(node)) return identifier(node, env, ctx);
  return (
    literalExpression(node, ctx) ??
    wrapped(node, env, ctx) ??
    compound(node, env, ctx) ??
    ctx.refuse(node, unsupported(node))
  );
}
