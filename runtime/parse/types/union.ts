// Unions are simplified as they are made: `never` drops out, equal members and literals of a present basic type merge.
import { identical } from "./identical";
import { basic, isBasic, NEVER, union, type Basic, type Type, type ValidationExpr } from "./type";

export const basicOf = (value: string | number | boolean | bigint): Basic => typeof value as Basic;

/** `a op b`, with nested lists of the same operator made flat. */
export function combine(op: "and" | "or", a: ValidationExpr, b: ValidationExpr): ValidationExpr {
  const parts = (expr: ValidationExpr): ValidationExpr[] => ("op" in expr && expr.op === op ? expr.of : [expr]);
  return { op, of: [...parts(a), ...parts(b)] };
}

function mergeValidations(a: Type, b: Type): Type | undefined {
  if (a.kind === "validation" && b.kind === "validation")
    return { kind: "validation", expr: combine("or", a.expr, b.expr) };
  if (a.kind === "validated" && b.kind === "validation") return { ...a, expr: combine("or", a.expr, b.expr) };
  return a.kind === "validation" && b.kind === "validated" ? { ...b, expr: combine("or", b.expr, a.expr) } : undefined;
}

/** One type for both, or undefined when they have to stay two members. */
export function merge(a: Type, b: Type): Type | undefined {
  if (isBasic(a, "any") || isBasic(b, "any")) return basic("any");
  if (a.kind === "basic" && b.kind === "literal") return basicOf(b.value) === a.name ? a : undefined;
  if (a.kind === "literal" && b.kind === "basic") return basicOf(a.value) === b.name ? b : undefined;
  if (a.kind === "function" && b.kind === "function") return undefined;
  return mergeValidations(a, b) ?? (identical(a, b) ? a : undefined);
}

export function simplifyUnion(types: Type[]): Type {
  const kept: Type[] = [];
  for (const type of types) {
    if (isBasic(type, "never")) continue;
    const at = kept.findIndex((other) => merge(other, type) !== undefined);
    const other = kept[at];
    if (other === undefined) kept.push(type);
    else kept[at] = merge(other, type) ?? other;
  }
  const [only] = kept;
  if (only === undefined) return NEVER;
  return kept.length === 1 ? only : union(kept);
}
