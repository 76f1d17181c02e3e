// Which validation fits which type (L-60), and how rules on one value combine.
import type { Rule, Type, ValidationExpr } from "./type";

const isBasic = (type: Type, name: string): boolean => type.kind === "basic" && type.name === name;

function fits(rule: Rule, type: Type): boolean {
  const target = type.kind === "wire" ? type.type : type;
  switch (rule.rule) {
    case "minLen":
    case "maxLen":
      return target.kind === "array" || isBasic(target, "string");
    case "minValue":
    case "maxValue":
      return target.kind === "decimal" || isBasic(target, "number");
    default:
      return isBasic(target, "string");
  }
}

/** The rules in `expr` that cannot be applied to the type. */
export const unsupportedRules = (expr: ValidationExpr, type: Type): Rule[] =>
  "op" in expr ? expr.of.flatMap((part) => unsupportedRules(part, type)) : fits(expr, type) ? [] : [expr];

const LARGER_IF_AND = { minLen: true, minValue: true, maxLen: false, maxValue: false } as const;

function mergeRules(a: Rule, b: Rule, op: "and" | "or"): Rule | undefined {
  if (a.rule !== b.rule || !(a.rule in LARGER_IF_AND) || typeof a.value !== "number" || typeof b.value !== "number")
    return undefined;
  const larger = LARGER_IF_AND[a.rule] === (op === "and");
  return { rule: a.rule, value: larger ? Math.max(a.value, b.value) : Math.min(a.value, b.value) };
}

/** Rules of one kind on one value become one. */
export function simplifyValidation(expr: ValidationExpr): ValidationExpr {
  if (!("op" in expr)) return expr;
  const kept: ValidationExpr[] = [];
  for (const part of expr.of) {
    const at = kept.findIndex(
      (other) => !("op" in part) && !("op" in other) && mergeRules(other, part, expr.op) !== undefined,
    );
    const other = kept[at];
    if (!other || "op" in other || "op" in part) kept.push(part);
    else kept[at] = mergeRules(other, part, expr.op) ?? other;
  }
  const [only] = kept;
  return kept.length === 1 && only ? only : { op: expr.op, of: kept };
}
