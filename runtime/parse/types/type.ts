// Types as Encore's parser sees them: less than TypeScript's own, and named types stay names until somebody asks
// what is behind them, which is what lets types recurse.
import type { Declared } from "../source/scope";
import type { SourceModule } from "../source/modules";
import type { Spot } from "../errors";

export type Basic =
  | "any"
  | "string"
  | "boolean"
  | "number"
  | "object"
  | "bigint"
  | "Date"
  | "symbol"
  | "undefined"
  | "null"
  | "void"
  | "unknown"
  | "never";

export type Rule =
  | { rule: "minLen" | "maxLen" | "minValue" | "maxValue"; value: number }
  | { rule: "startsWith" | "endsWith" | "matchesRegexp"; value: string }
  | { rule: "is"; value: "email" | "url" };

export type ValidationExpr = Rule | { op: "and" | "or"; of: ValidationExpr[] };

export type WireLocation = "header" | "query" | "cookie" | "httpStatus" | "attribute";

export interface TypeField {
  name: string;
  type: Type;
  optional: boolean;
  /** Where the field is written; absent for fields that a mapped type made. */
  spot?: Spot;
  doc?: string;
}

export interface InterfaceType {
  kind: "interface";
  fields: TypeField[];
  index?: { key: Type; value: Type };
  calls?: { params: Type[]; returns: Type }[];
}

export interface NamedType {
  kind: "named";
  declared: Declared;
  module: SourceModule;
  args: Type[];
}

export interface ValidatedType {
  kind: "validated";
  type: Type;
  expr: ValidationExpr;
}

export interface WireType {
  kind: "wire";
  location: WireLocation;
  type: Type;
  name?: string;
}

/** Something that waits for a type parameter nobody gave, or an intersection Encore leaves unresolved. */
export type DeferredType =
  | { kind: "parameter"; index: number }
  | { kind: "inferred"; index: number }
  | { kind: "intersection"; left: Type; right: Type }
  | { kind: "deferred"; what: "Conditional" | "Index" | "Mapped" | "Keyof" };

export type Type =
  | { kind: "basic"; name: Basic }
  | { kind: "array"; elem: Type }
  | { kind: "tuple"; types: Type[] }
  | InterfaceType
  | { kind: "union"; types: Type[] }
  | { kind: "literal"; value: string | number | boolean | bigint }
  | { kind: "class"; methods: string[] }
  | { kind: "enum"; members: { name: string; value: string | number }[] }
  | NamedType
  | { kind: "optional"; type: Type }
  | { kind: "this" }
  | { kind: "validation"; expr: ValidationExpr }
  | ValidatedType
  | WireType
  | { kind: "decimal" }
  | { kind: "function"; returns: Type }
  | DeferredType;

export const basic = (name: Basic): Type => ({ kind: "basic", name });
export const NEVER = basic("never");
export const literal = (value: string | number | boolean | bigint): Type => ({ kind: "literal", value });
export const union = (types: Type[]): Type => ({ kind: "union", types });

export const isBasic = (type: Type, ...names: Basic[]): boolean => type.kind === "basic" && names.includes(type.name);

export const isDeferred = (type: Type): type is DeferredType =>
  type.kind === "parameter" || type.kind === "inferred" || type.kind === "intersection" || type.kind === "deferred";

/** The members of a union, nested ones too; an optional type adds `undefined`. */
export function members(type: Type): Type[] {
  switch (type.kind) {
    case "union":
      return type.types.flatMap(members);
    case "optional":
      return [...members(type.type), basic("undefined")];
    case "validated":
      return members(type.type);
    default:
      return [type];
  }
}
