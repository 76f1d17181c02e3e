// Intersections: objects merge, validations attach to what they validate, the rest is `never` or stays unresolved
// (an object with a primitive: branded types), which a schema then refuses.
import { combine, simplifyUnion } from "./union";
import { identical } from "./identical";
import { basic, isBasic, isDeferred, members, NEVER, type InterfaceType, type Type, type TypeField } from "./type";

export interface IntersectHooks {
  underlying(type: Type): Type;
  report(message: string): void;
}

const optional = (type: Type): Type => ({ kind: "optional", type });
const unresolved = (left: Type, right: Type): Type => ({ kind: "intersection", left, right });

function distribute(over: Type, other: Type, hooks: IntersectHooks): Type {
  return simplifyUnion(members(over).map((member) => intersect(member, other, hooks)));
}

function mergeFields(a: TypeField[], b: TypeField[], hooks: IntersectHooks): TypeField[] {
  const others = new Map(b.map((field) => [field.name, field]));
  const merged = a.map((field) => {
    const other = others.get(field.name);
    others.delete(field.name);
    if (!other) return field;
    return { ...field, type: intersect(field.type, other.type, hooks), optional: field.optional && other.optional };
  });
  return [...merged, ...others.values()];
}

function intersectIndexes(a: InterfaceType, b: InterfaceType, hooks: IntersectHooks): InterfaceType["index"] {
  if (!a.index || !b.index) return a.index ?? b.index;
  return { key: intersect(a.index.key, b.index.key, hooks), value: intersect(a.index.value, b.index.value, hooks) };
}

function intersectInterfaces(a: InterfaceType, b: InterfaceType, hooks: IntersectHooks): Type {
  const fields = mergeFields(a.fields, b.fields, hooks);
  const index = fields.length ? intersectIndexes(a, b, hooks) : undefined;
  if (a.calls || b.calls) hooks.report("intersection of call signature types not yet supported");
  return { kind: "interface", fields, ...(index && { index }) };
}

function intersectBasics(a: Type, b: Type): Type | undefined {
  if (isBasic(a, "unknown")) return b;
  if (isBasic(b, "unknown")) return a;
  if (isBasic(a, "any") || isBasic(b, "any")) return basic("any");
  if (isBasic(a, "never") || isBasic(b, "never")) return NEVER;
  return intersectLiterals(a, b);
}

function intersectLiterals(a: Type, b: Type): Type | undefined {
  if (a.kind === "basic" && b.kind === "basic") return a.name === b.name ? a : NEVER;
  if (a.kind === "literal" && b.kind === "literal" && identical(a, b)) return a;
  if (a.kind === "literal" && b.kind === "basic") return typeof a.value === b.name ? a : NEVER;
  if (a.kind === "basic" && b.kind === "literal") return typeof b.value === a.name ? b : NEVER;
  return undefined;
}

function intersectUnions(a: Type, b: Type, hooks: IntersectHooks): Type | undefined {
  if (a.kind === "union" && b.kind === "union") {
    return simplifyUnion(a.types.flatMap((x) => b.types.map((y) => intersect(x, y, hooks))));
  }
  if (a.kind === "union") return distribute(a, b, hooks);
  return b.kind === "union" ? distribute(b, a, hooks) : undefined;
}

function intersectLists(a: Type, b: Type, hooks: IntersectHooks): Type | undefined {
  if (a.kind === "array" && b.kind === "array") return { kind: "array", elem: intersect(a.elem, b.elem, hooks) };
  if (a.kind === "tuple" && b.kind === "array") return intersectLists(b, a, hooks);
  if (a.kind === "array" && b.kind === "tuple") {
    const [first] = b.types;
    return { kind: "array", elem: first ? intersect(a.elem, first, hooks) : NEVER };
  }
  if (a.kind !== "tuple" || b.kind !== "tuple") return undefined;
  const shared = a.types.slice(0, b.types.length);
  return { kind: "tuple", types: shared.map((type, i) => intersect(type, b.types[i] ?? type, hooks)) };
}

function intersectOptionals(a: Type, b: Type, hooks: IntersectHooks): Type | undefined {
  if (a.kind === "optional" && b.kind === "optional") return optional(intersect(a.type, b.type, hooks));
  if (a.kind === "optional") return distribute(a.type, b, hooks);
  return b.kind === "optional" ? distribute(b.type, a, hooks) : undefined;
}

function intersectValidations(a: Type, b: Type): Type | undefined {
  if (a.kind === "validation" && b.kind === "validation")
    return { kind: "validation", expr: combine("and", a.expr, b.expr) };
  if (a.kind === "validated" && b.kind === "validation") return { ...a, expr: combine("and", a.expr, b.expr) };
  if (a.kind === "validation" && b.kind === "validated") return { ...b, expr: combine("and", a.expr, b.expr) };
  if (b.kind === "validation") return { kind: "validated", type: a, expr: b.expr };
  if (a.kind === "validation") return { kind: "validated", type: b, expr: a.expr };
  return undefined;
}

function intersectObjects(a: Type, b: Type, hooks: IntersectHooks): Type {
  if (a.kind === "this" && b.kind === "this") return a;
  if (isDeferred(a) || isDeferred(b) || (a.kind === "class" && b.kind === "class")) return unresolved(a, b);
  if (a.kind === "named") return intersect(hooks.underlying(a), b, hooks);
  if (b.kind === "named") return intersect(a, hooks.underlying(b), hooks);
  if (a.kind === "interface" && b.kind === "interface") return intersectInterfaces(a, b, hooks);
  return a.kind === "interface" || b.kind === "interface" ? unresolved(a, b) : NEVER;
}

export function intersect(a: Type, b: Type, hooks: IntersectHooks): Type {
  return (
    intersectBasics(a, b) ??
    intersectUnions(a, b, hooks) ??
    intersectLists(a, b, hooks) ??
    intersectOptionals(a, b, hooks) ??
    intersectValidations(a, b) ??
    intersectObjects(a, b, hooks)
  );
}
