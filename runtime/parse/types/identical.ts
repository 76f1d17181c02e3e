// When two types are the same type, structurally. Named types are the same when their declaration and arguments are.
import type { InterfaceType, NamedType, Type, WireType } from "./type";

const allIdentical = (a: Type[], b: Type[]): boolean =>
  a.every((type, i) => b[i] === undefined || identical(type, b[i]));

function identicalCalls(a: InterfaceType, b: InterfaceType): boolean {
  if (a.calls?.length !== b.calls?.length) return false;
  return (a.calls ?? []).every((call, i) => {
    const other = b.calls?.[i];
    return (
      !!other &&
      call.params.length === other.params.length &&
      allIdentical(call.params, other.params) &&
      identical(call.returns, other.returns)
    );
  });
}

function identicalInterfaces(a: InterfaceType, b: InterfaceType): boolean {
  if (a.fields.length !== b.fields.length || !a.index !== !b.index) return false;
  const byName = new Map(a.fields.map((field) => [field.name, field]));
  const sameFields = b.fields.every((field) => {
    const own = byName.get(field.name);
    return !!own && own.optional === field.optional && identical(own.type, field.type);
  });
  if (!sameFields) return false;
  if (a.index && b.index && !(identical(a.index.key, b.index.key) && identical(a.index.value, b.index.value)))
    return false;
  return identicalCalls(a, b);
}

const identicalNamed = (a: NamedType, b: NamedType): boolean =>
  a.declared === b.declared && a.args.length === b.args.length && allIdentical(a.args, b.args);

const identicalWires = (a: WireType, b: WireType): boolean =>
  a.location === b.location && a.name === b.name && identical(a.type, b.type);

function identicalOther(a: Type, b: Type): boolean {
  if (a.kind === "named" && b.kind === "named") return identicalNamed(a, b);
  if (a.kind === "enum" && b.kind === "enum") return JSON.stringify(a.members) === JSON.stringify(b.members);
  if (a.kind === "wire" && b.kind === "wire") return identicalWires(a, b);
  if (a.kind === "parameter" && b.kind === "parameter") return a.index === b.index;
  if (a.kind === "function" && b.kind === "function") return identical(a.returns, b.returns);
  return a.kind === b.kind && (a.kind === "decimal" || a.kind === "this");
}

export function identical(a: Type, b: Type): boolean {
  if (a.kind === "basic" && b.kind === "basic") return a.name === b.name;
  if (a.kind === "literal" && b.kind === "literal") return a.value === b.value;
  if (a.kind === "array" && b.kind === "array") return identical(a.elem, b.elem);
  if (a.kind === "interface" && b.kind === "interface") return identicalInterfaces(a, b);
  if (a.kind === "union" && b.kind === "union") return allIdentical(a.types, b.types);
  if (a.kind === "tuple" && b.kind === "tuple") return allIdentical(a.types, b.types);
  if (a.kind === "optional" && b.kind === "optional") return identical(a.type, b.type);
  return identicalOther(a, b);
}
