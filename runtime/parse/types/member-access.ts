// `a.b` and `a["b"]` on the type of a value.
import { ts, type TypeScript } from "../typescript";
import type { Env, TypeContext } from "./context";
import { render } from "./debug-text";
import { literal, NEVER, type Type } from "./type";

type Property = TypeScript.Identifier | TypeScript.PrivateIdentifier | TypeScript.Expression;

function propertyName(property: Property, env: Env, ctx: TypeContext): string | undefined {
  if (ts.isIdentifier(property) || ts.isPrivateIdentifier(property)) return property.text;
  const type = ctx.expression(property, env);
  return type.kind === "literal" && typeof type.value !== "boolean" ? String(type.value) : undefined;
}

export function memberType(type: Type, property: Property, env: Env, ctx: TypeContext): Type {
  switch (type.kind) {
    case "enum": {
      const name = propertyName(property, env, ctx);
      const member = type.members.find((candidate) => candidate.name === name);
      return member ? literal(member.value) : NEVER;
    }
    case "interface": {
      const name = propertyName(property, env, ctx);
      return type.fields.find((field) => field.name === name)?.type ?? type.index?.value ?? NEVER;
    }
    case "named":
      return memberType(ctx.underlying(type), property, env, ctx);
    case "validated":
    case "wire":
      return memberType(type.type, property, env, ctx);
    case "decimal":
      return NEVER;
    case "function":
      return ctx.refuse(property, "member access on function type not yet supported");
    default:
      return ctx.refuse(property, `unsupported member on type ${render(type)}`);
  }
}
