// The checker's types as ours. Members of a union come in the checker's order with null at the end, and an object type is written out where it stands.
import { ts, type TypeScript } from "../typescript";
import type { Checked } from "./checker";
import { basic, literal, union, type Basic, type InterfaceType, type Type } from "./type";

const ENDLESS = "it refers to itself";

/** Thrown with a reason when a type has no form here. */
export class Unreadable extends Error {}

const BASICS: [keyof typeof TypeScript.TypeFlags, Basic][] = [
  ["Any", "any"],
  ["Unknown", "unknown"],
  ["Never", "never"],
  ["Null", "null"],
  ["Undefined", "undefined"],
  ["Void", "void"],
  ["Boolean", "boolean"],
  ["ESSymbolLike", "symbol"],
  ["NonPrimitive", "object"],
  ["TemplateLiteral", "string"],
  ["StringMapping", "string"],
  ["String", "string"],
  ["Number", "number"],
  ["BigInt", "bigint"],
];

function literalOf(type: TypeScript.Type): Type | undefined {
  if (type.isStringLiteral() || type.isNumberLiteral()) return literal(type.value);
  if (type.flags & ts.TypeFlags.BooleanLiteral)
    return literal((type as TypeScript.Type & { intrinsicName: string }).intrinsicName === "true");
  if (!(type.flags & ts.TypeFlags.BigIntLiteral)) return undefined;
  const { negative, base10Value } = (type as TypeScript.BigIntLiteralType).value;
  return literal(BigInt(base10Value) * (negative ? -1n : 1n));
}

function isBoth(types: readonly TypeScript.Type[]): boolean {
  return types.filter((type) => type.flags & ts.TypeFlags.BooleanLiteral).length === 2;
}

class Reader {
  readonly #open = new Set<TypeScript.Type>();

  constructor(
    readonly from: Checked,
    readonly node: TypeScript.Node,
  ) {}

  read(type: TypeScript.Type): Type {
    const found = literalOf(type);
    if (found) return found;
    const known = BASICS.find(([flag]) => type.flags & ts.TypeFlags[flag]);
    if (known) return basic(known[1]);
    if (type.isUnion()) return this.#union(type.types);
    if (type.isIntersection()) return this.#intersection(type);
    return this.#object(type);
  }

  #union(types: readonly TypeScript.Type[]): Type {
    const joined = isBoth(types);
    const kept = joined ? types.filter((type) => !(type.flags & ts.TypeFlags.BooleanLiteral)) : types;
    const isNull = (type: TypeScript.Type): boolean => (type.flags & ts.TypeFlags.Null) !== 0;
    const members = kept.filter((type) => !isNull(type)).map((type) => this.read(type));
    if (joined) members.push(basic("boolean"));
    if (kept.some(isNull)) members.push(basic("null"));
    const [only] = members;
    return members.length === 1 && only ? only : union(members);
  }

  /** A branded text or number travels as what it is without the brand. */
  #intersection(type: TypeScript.IntersectionType): Type {
    const plain = type.types.find((member) => !(member.flags & ts.TypeFlags.Object));
    return plain ? this.read(plain) : this.#object(type);
  }

  #object(type: TypeScript.Type): Type {
    const { checker } = this.from;
    const name = (type.symbol as TypeScript.Symbol | undefined)?.name;
    if (name === "Date" && this.from.isBuiltIn(type)) return basic("Date");
    if (
      name === "Decimal" &&
      type.symbol.declarations?.some((at) => at.getSourceFile().fileName.includes("/encore.dev/types/"))
    )
      return { kind: "decimal" };
    const args = (): readonly TypeScript.Type[] => checker.getTypeArguments(type as TypeScript.TypeReference);
    if (checker.isArrayType(type))
      return { kind: "array", elem: this.#inside(type, () => this.read(args()[0] ?? checker.getAnyType())) };
    if (checker.isTupleType(type)) return { kind: "tuple", types: args().map((member) => this.read(member)) };
    if (type.getCallSignatures().length || type.getConstructSignatures().length)
      return { kind: "function", returns: basic("unknown") };
    return this.#inside(type, () => this.#fields(type));
  }

  #inside<T>(type: TypeScript.Type, work: () => T): T {
    if (this.#open.has(type)) throw new Unreadable(ENDLESS);
    this.#open.add(type);
    try {
      return work();
    } finally {
      this.#open.delete(type);
    }
  }

  #fields(type: TypeScript.Type): InterfaceType {
    const { checker } = this.from;
    const fields = checker.getPropertiesOfType(type).map((property) => {
      const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
      const value = checker.getTypeOfSymbolAtLocation(property, this.node);
      // The checker adds `undefined` to what is optional.
      const type =
        optional && value.isUnion()
          ? this.#union(value.types.filter((member) => !(member.flags & ts.TypeFlags.Undefined)))
          : this.read(value);
      return { name: property.name, optional, type };
    });
    const [index] = checker.getIndexInfosOfType(type);
    return {
      kind: "interface",
      fields,
      ...(index && { index: { key: this.read(index.keyType), value: this.read(index.type) } }),
    };
  }
}

/** @throws Unreadable with what stands in the way */
export function readChecked(checked: Checked, node: TypeScript.Node): Type {
  const { intrinsicName } = checked.type as TypeScript.Type & { intrinsicName?: string };
  if (intrinsicName === "error") throw new Unreadable("TypeScript cannot tell it either");
  return new Reader(checked, node).read(checked.type);
}
