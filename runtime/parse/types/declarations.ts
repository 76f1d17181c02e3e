// Types of declarations: interfaces with what they extend, aliases, enums, classes, functions, variables.
import { spotOf } from "../source/modules";
import type { Declared } from "../source/scope";
import { ts, type TypeScript } from "../typescript";
import { named, type Env, type TypeContext } from "./context";
import { intersect } from "./intersect";
import { objectType, signatureReturn } from "./members";
import { basic, NEVER, type Type } from "./type";

export const typeParametersOf = (declared: Declared): readonly TypeScript.TypeParameterDeclaration[] =>
  declared.kind === "interface" || declared.kind === "alias" ? (declared.node.typeParameters ?? []) : [];

function extendedType(node: TypeScript.ExpressionWithTypeArguments, env: Env, ctx: TypeContext): Type | undefined {
  const type = ctx.expression(node.expression, env);
  if (!node.typeArguments) return type;
  if (type.kind === "named")
    return named(
      type.declared,
      type.module,
      node.typeArguments.map((arg) => ctx.type(arg, env)),
    );
  ctx.refuse(node, "extends with non-ident type");
  return undefined;
}

function interfaceType(node: TypeScript.InterfaceDeclaration, env: Env, ctx: TypeContext): Type {
  const bases = (node.heritageClauses ?? []).flatMap((clause) => clause.types);
  const hooks = { underlying: ctx.underlying, report: (message: string) => ctx.report(message, spotOf(node)) };
  return bases.reduce<Type>(
    (type, base) => {
      const other = extendedType(base, env, ctx);
      return other ? intersect(type, other, hooks) : type;
    },
    objectType(node.members, env, ctx),
  );
}

type EnumValue = string | number;

function enumValue(
  node: TypeScript.EnumMember,
  previous: EnumValue | undefined,
  env: Env,
  ctx: TypeContext,
): EnumValue {
  if (!node.initializer) {
    if (previous === undefined) return 0;
    if (typeof previous === "number") return previous + 1;
    ctx.refuse(node, "implicit enum value cannot follow string value");
    return 0;
  }
  const type = ctx.expression(node.initializer, env);
  if (type.kind === "literal" && typeof type.value === "string") return type.value;
  if (type.kind === "literal" && typeof type.value === "number") {
    if (!Number.isInteger(type.value)) ctx.refuse(node, "enum value must be an integer");
    return Math.trunc(type.value);
  }
  ctx.refuse(node, "unsupported enum value");
  return 0;
}

function enumType(node: TypeScript.EnumDeclaration, env: Env, ctx: TypeContext): Type {
  let previous: EnumValue | undefined;
  const members = node.members.map((member) => {
    previous = enumValue(member, previous, env, ctx);
    return {
      name: ts.isIdentifier(member.name) || ts.isStringLiteral(member.name) ? member.name.text : member.name.getText(),
      value: previous,
    };
  });
  return { kind: "enum", members };
}

function classType(node: TypeScript.ClassDeclaration): Type {
  const methods = node.members.flatMap((member) => {
    const isMethod = ts.isMethodDeclaration(member) || ts.isGetAccessor(member) || ts.isSetAccessor(member);
    return isMethod && ts.isIdentifier(member.name) ? [member.name.text] : [];
  });
  return { kind: "class", methods };
}

export function declarationType(declared: Declared, env: Env, ctx: TypeContext): Type {
  switch (declared.kind) {
    case "interface":
      return interfaceType(declared.node, env, ctx);
    case "alias":
      return ctx.type(declared.node.type, env);
    case "enum":
      return enumType(declared.node, env, ctx);
    case "class":
      return classType(declared.node);
    case "function": {
      const missing = "function must have explicit return type annotation (function body parsing not yet supported)";
      return { kind: "function", returns: signatureReturn(declared.node, env, ctx, missing) };
    }
    case "variable":
      if (declared.annotation) return ctx.type(declared.annotation, env);
      return declared.node.initializer ? ctx.expression(declared.node.initializer, env) : NEVER;
    case "namespace":
      return basic("object");
    case "module":
      return NEVER;
  }
}
