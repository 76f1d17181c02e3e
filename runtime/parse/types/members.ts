// The members of an interface or an object type literal.
import { docOf } from "../source/comments";
import { declarationSpot, spotAt, spotOf } from "../source/modules";
import { ts, type TypeScript } from "../typescript";
import type { Env, TypeContext } from "./context";
import { basic, NEVER, type InterfaceType, type Type } from "./type";

type Members = InterfaceType & { calls: NonNullable<InterfaceType["calls"]> };

/** `[brand]` counts as `brand`: Encore does not look at what a computed key stands for. */
function keyText(name: TypeScript.PropertyName): string | undefined {
  const key = ts.isComputedPropertyName(name) ? name.expression : name;
  return ts.isIdentifier(key) || ts.isStringLiteral(key) ? key.text : undefined;
}

const annotated = (node: TypeScript.TypeNode | undefined, env: Env, ctx: TypeContext): Type =>
  node ? ctx.type(node, env) : basic("any");

function typeParametersSpot(
  list: TypeScript.NodeArray<TypeScript.TypeParameterDeclaration>,
  owner: TypeScript.Node,
): ReturnType<typeof spotOf> {
  return spotAt(owner, list.pos - 1);
}

function addProperty(into: Members, node: TypeScript.PropertySignature, env: Env, ctx: TypeContext): void {
  const name = keyText(node.name);
  const key = ts.isComputedPropertyName(node.name) ? node.name.expression : node.name;
  if (name === undefined)
    return void ctx.refuse(key, "unsupported property key", { remedy: "Write the key as a name or a string." });
  if (!node.type) return void ctx.refuse(node, "unsupported missing type annotation");
  const doc = docOf(node);
  const type = ctx.type(node.type, env);
  into.fields.push({
    name,
    type,
    optional: node.questionToken !== undefined,
    spot: spotOf(node),
    ...(doc !== undefined && { doc }),
  });
}

function addIndex(into: Members, node: TypeScript.IndexSignatureDeclaration, env: Env, ctx: TypeContext): void {
  const [parameter] = node.parameters;
  if (!parameter?.type) return void ctx.refuse(node, "missing key type annotation");
  into.index = { key: ctx.type(parameter.type, env), value: ctx.type(node.type, env) };
}

/** Also evaluates the parameters, for what there is to refuse in them. */
export function signatureReturn(
  node: TypeScript.SignatureDeclaration,
  env: Env,
  ctx: TypeContext,
  missing: string,
): Type {
  if (node.typeParameters)
    ctx.report("generic functions are not yet supported", typeParametersSpot(node.typeParameters, node));
  for (const parameter of node.parameters) annotated(parameter.type, env, ctx);
  if (node.type) return ctx.type(node.type, env);
  ctx.report(missing, declarationSpot(node));
  return NEVER;
}

function addMethod(into: Members, node: TypeScript.MethodSignature, env: Env, ctx: TypeContext): void {
  const name = keyText(node.name);
  if (name === undefined) {
    return void ctx.refuse(
      node.name,
      ts.isComputedPropertyName(node.name) ? "computed method names not yet supported" : "unsupported method key",
    );
  }
  if (node.typeParameters) {
    return ctx.report(
      "generic methods are not yet supported in object type literals",
      typeParametersSpot(node.typeParameters, node),
    );
  }
  const missing = "method must have explicit return type annotation (function body parsing not yet supported)";
  const returns = signatureReturn(node, env, ctx, missing);
  into.fields.push({
    name,
    type: { kind: "function", returns },
    optional: node.questionToken !== undefined,
    spot: spotOf(node),
  });
}

function addCall(into: Members, node: TypeScript.CallSignatureDeclaration, env: Env, ctx: TypeContext): void {
  if (node.typeParameters)
    return ctx.report("generic call signatures are not yet supported", typeParametersSpot(node.typeParameters, node));
  const params = node.parameters.map((parameter) => annotated(parameter.type, env, ctx));
  const returns = node.type
    ? ctx.type(node.type, env)
    : ctx.refuse(node, "call signature must have explicit return type annotation");
  into.calls.push({ params, returns });
}

const UNSUPPORTED = (what: string): string => `${what} signatures are not yet supported in object type literals`;

function addMember(into: Members, node: TypeScript.TypeElement, env: Env, ctx: TypeContext): void {
  if (ts.isPropertySignature(node)) addProperty(into, node, env, ctx);
  else if (ts.isIndexSignatureDeclaration(node)) addIndex(into, node, env, ctx);
  else if (ts.isMethodSignature(node)) addMethod(into, node, env, ctx);
  else if (ts.isCallSignatureDeclaration(node)) addCall(into, node, env, ctx);
  else if (ts.isConstructSignatureDeclaration(node)) ctx.refuse(node, UNSUPPORTED("constructor"));
  else if (ts.isGetAccessor(node)) ctx.refuse(node, UNSUPPORTED("getter"));
  else if (ts.isSetAccessor(node)) ctx.refuse(node, UNSUPPORTED("setter"));
}

export function objectType(nodes: readonly TypeScript.TypeElement[], env: Env, ctx: TypeContext): InterfaceType {
  const { calls, ...type } = nodes.reduce<Members>(
    (into, node) => {
      addMember(into, node, env, ctx);
      return into;
    },
    { kind: "interface", fields: [], calls: [] },
  );
  return calls.length ? { ...type, calls } : type;
}
