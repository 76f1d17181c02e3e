// Conditional types. On a bare type parameter that is a union they go through its members; otherwise the type is
// asked as a whole, and only then `infer` finds something.
import { ts, type TypeScript } from "../typescript";
import { bind, type Binding, type Env, type TypeContext } from "./context";
import { assignable, extendsType, inferredByIndex } from "./relations";
import { simplifyUnion } from "./union";
import { isBasic, type Type } from "./type";

function distributingName(node: TypeScript.TypeNode, env: Env): string | undefined {
  if (!ts.isTypeReferenceNode(node) || node.typeArguments || !ts.isIdentifier(node.typeName)) return undefined;
  return env.names.get(node.typeName.text)?.distributes ? node.typeName.text : undefined;
}

function withInferred(env: Env, names: string[], types: Type[] | undefined): Env {
  const entry = (name: string, index: number): [string, Binding] => {
    const type: Type = types?.[index] ?? { kind: "inferred", index };
    return [name, { type, distributes: false }];
  };
  return bind(env, names.map(entry));
}

interface Parts {
  node: TypeScript.ConditionalTypeNode;
  env: Env;
  extended: Type;
  inferNames: string[];
}

function distributed(name: string, types: Type[], { node, env, extended, inferNames }: Parts, ctx: TypeContext): Type {
  const results = types.flatMap((type) => {
    const answer = assignable(type, extended, ctx.underlying);
    if (answer === undefined) return [];
    const inner = withInferred(bind(env, [[name, { type, distributes: true }]]), inferNames, undefined);
    return [ctx.type(answer ? node.trueType : node.falseType, inner)];
  });
  return simplifyUnion(results);
}

export function conditionalType(node: TypeScript.ConditionalTypeNode, env: Env, ctx: TypeContext): Type {
  const check = ctx.type(node.checkType, env);
  const inferNames: string[] = [];
  const extended = ctx.type(node.extendsType, { ...env, infer: inferNames });
  const parts: Parts = { node, env, extended, inferNames };
  // `T extends any` and `T extends infer X` hold for every T, before it is known.
  const always = isBasic(extended, "any") || extended.kind === "inferred";
  const name = always ? undefined : distributingName(node.checkType, env);
  if (name !== undefined && check.kind === "union") return distributed(name, check.types, parts, ctx);
  const result = extendsType(check, extended, ctx.underlying);
  if (result.answer === "unknown") return { kind: "deferred", what: "Conditional" };
  if (result.answer === "no") return ctx.type(node.falseType, env);
  return ctx.type(node.trueType, withInferred(env, inferNames, inferredByIndex(result.inferred)));
}
