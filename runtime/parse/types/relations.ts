// "extends" as conditional types ask it. Deliberately Encore's relation, which is stricter and simpler than
// TypeScript's: an interface does not extend `object`, a union extends another if one member does.
import { Refusal } from "../errors";
import { identical } from "./identical";
import { simplifyUnion } from "./union";
import { basic, isBasic, isDeferred, literal, members, type InterfaceType, type Type } from "./type";

export type Inferred = [index: number, type: Type];

export type Extends = { answer: "yes"; inferred: Inferred[] } | { answer: "no" } | { answer: "unknown" };

type Underlying = (type: Type) => Type;

/** Encore asks this question again and again until its stack is full. */
const RULES_RIGHT = "a type with validation cannot stand right of `extends`";

const YES: Extends = { answer: "yes", inferred: [] };
const NO: Extends = { answer: "no" };
const UNKNOWN: Extends = { answer: "unknown" };
const yesIf = (value: boolean): Extends => (value ? YES : NO);

/** Every pair must hold; what the pairs infer is gathered. */
function every(pairs: [Type, Type][], under: Underlying): Extends {
  const inferred: Inferred[] = [];
  let unknown = false;
  for (const [a, b] of pairs) {
    const result = extendsType(a, b, under);
    if (result.answer === "no") return NO;
    if (result.answer === "unknown") unknown = true;
    else inferred.push(...result.inferred);
  }
  return unknown ? UNKNOWN : { answer: "yes", inferred };
}

function tupleExtends(types: Type[], other: Type, under: Underlying): Extends {
  if (other.kind === "tuple") {
    if (types.length !== other.types.length) return NO;
    return every(
      types.map((type, i): [Type, Type] => [type, other.types[i] ?? type]),
      under,
    );
  }
  if (other.kind !== "array") return NO;
  const result = every(
    types.map((type): [Type, Type] => [type, other.elem]),
    under,
  );
  if (result.answer !== "yes") return result;
  const indexes = [...new Set(result.inferred.map(([index]) => index))].sort((a, b) => a - b);
  const joined = indexes.map((index): Inferred => [
    index,
    simplifyUnion(result.inferred.filter(([i]) => i === index).map(([, type]) => type)),
  ]);
  return { answer: "yes", inferred: joined };
}

function enumExtends(own: { name: string; value: string | number }[], other: Type, under: Underlying): Extends {
  const values = new Map(own.map((member) => [member.name, member.value]));
  if (other.kind === "enum") return yesIf(other.members.every((member) => values.get(member.name) === member.value));
  if (other.kind !== "interface") return NO;
  const shared = other.fields.filter((field) => values.has(field.name));
  return every(
    shared.map((field): [Type, Type] => [literal(values.get(field.name) ?? ""), field.type]),
    under,
  );
}

function interfaceExtends(own: InterfaceType, other: Type, under: Underlying): Extends {
  if (other.kind !== "interface") return NO;
  const pairs: [Type, Type][] = [];
  for (const field of other.fields) {
    const mine = own.fields.find((candidate) => candidate.name === field.name);
    if (!mine) return NO;
    pairs.push([mine.type, field.type]);
  }
  return every(pairs, under);
}

/** One member against one alternative is enough. */
function unionExtends(type: Type, alternatives: Type[], under: Underlying): Extends {
  const results = members(type).flatMap((member) => alternatives.map((other) => extendsType(member, other, under)));
  const yes = results.filter((result) => result.answer === "yes");
  if (yes.length) return { answer: "yes", inferred: yes.flatMap((result) => result.inferred) };
  return results.some((result) => result.answer === "unknown") ? UNKNOWN : NO;
}

function literalExtends(value: string | number | boolean | bigint, other: Type): Extends {
  return yesIf(other.kind === "basic" ? typeof value === other.name : identical(literal(value), other));
}

/** Whether `type extends other`, and what the `infer`s in `other` stand for then. */
export function extendsType(type: Type, other: Type, under: Underlying): Extends {
  if (other.kind === "inferred") return { answer: "yes", inferred: [[other.index, type]] };
  if (isBasic(other, "any")) return YES;
  if (isBasic(other, "never")) return NO;
  if (isDeferred(type) || isDeferred(other)) return UNKNOWN;
  return resolvedExtends(type, other, under);
}

function resolvedExtends(type: Type, other: Type, under: Underlying): Extends {
  if (type.kind === "named") return extendsType(under(type), other, under);
  if (other.kind === "named") return extendsType(type, under(other), under);
  if (type.kind === "basic" && other.kind === "basic") return yesIf(type.name === other.name);
  if (type.kind === "literal" && other.kind === "basic") return literalExtends(type.value, other);
  if (type.kind === "validated") return extendsType(type.type, other, under);
  if (other.kind === "validated")
    throw new Refusal(RULES_RIGHT, undefined, { remedy: "Compare with the type without its validation." });
  return structureExtends(type, other, under);
}

function structureExtends(type: Type, other: Type, under: Underlying): Extends {
  if (other.kind === "optional") return isBasic(type, "undefined") ? YES : extendsType(type, other.type, under);
  if (type.kind === "tuple") return tupleExtends(type.types, other, under);
  if (type.kind === "enum") return enumExtends(type.members, other, under);
  if (type.kind === "interface") return interfaceExtends(type, other, under);
  if (other.kind === "union") return unionExtends(type, other.types, under);
  return yesIf(identical(type, other));
}

/** As the distribution over a union asks it: every member needs an alternative, and nothing is inferred. */
export function assignable(type: Type, other: Type, under: Underlying): boolean | undefined {
  if (
    other.kind !== "union" ||
    type.kind === "named" ||
    type.kind === "interface" ||
    type.kind === "tuple" ||
    type.kind === "enum"
  ) {
    if (isDeferred(other)) return isBasic(type, "never") ? false : undefined;
    const result = extendsType(type, other, under);
    if (result.answer === "yes") return result.inferred.length ? undefined : true;
    return result.answer === "no" ? false : undefined;
  }
  for (const member of members(type)) {
    const answers = other.types.map((alternative) => assignable(member, alternative, under));
    if (!answers.includes(true)) return answers.includes(undefined) ? undefined : false;
  }
  return true;
}

/** The types of `infer` names by index; a gap is unknown. */
export function inferredByIndex(inferred: Inferred[]): Type[] {
  const types: Type[] = [];
  for (const [index, type] of [...inferred].sort(([a], [b]) => a - b)) {
    while (types.length < index) types.push(basic("unknown"));
    types.push(type);
  }
  return types;
}
