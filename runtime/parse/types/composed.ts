// Unions and intersections as they are written. Encore puts them together where they are declared, while type parameters are still
// open: what a parameter turns out to be later is neither merged with its neighbours nor gone through member by member.
import { spotOf } from "../source/modules";
import type { TypeScript } from "../typescript";
import { isOpen, type Env, type TypeContext } from "./context";
import { intersect } from "./intersect";
import { simplifyUnion } from "./union";
import { NEVER, union, type Type } from "./type";

export function unionType(node: TypeScript.UnionTypeNode, env: Env, ctx: TypeContext): Type {
  if (ctx.extended || !node.types.some((member) => isOpen(member, env)))
    return simplifyUnion(node.types.map((member) => ctx.type(member, env)));
  const texts = node.types.map((member) => member.getText());
  const open = new Map<Type, Type>();
  const simple = simplifyUnion(
    node.types.flatMap((member, index): Type[] => {
      if (!isOpen(member, env)) return [ctx.type(member, env)];
      if (texts.indexOf(member.getText()) < index) return [];
      const standIn: Type = { kind: "inferred", index: -1 - index };
      open.set(standIn, ctx.type(member, env));
      return [standIn];
    }),
  );
  return simple.kind === "union"
    ? union(simple.types.map((type) => open.get(type) ?? type))
    : (open.get(simple) ?? simple);
}

export function intersectionType(node: TypeScript.IntersectionTypeNode, env: Env, ctx: TypeContext): Type {
  const hooks = { underlying: ctx.underlying, report: (message: string): void => ctx.report(message, spotOf(node)) };
  const [first, ...others] = node.types;
  if (!first) return NEVER;
  let type = ctx.type(first, env);
  let isUntouched = !ctx.extended && isOpen(first, env) && type.kind !== "validation";
  for (const member of others) {
    const other = ctx.type(member, env);
    // A rule on an open type is on whatever that turns out to be, as a whole.
    type =
      isUntouched && other.kind === "validation"
        ? { kind: "validated", type, expr: other.expr }
        : intersect(type, other, hooks);
    isUntouched = false;
  }
  return type;
}
