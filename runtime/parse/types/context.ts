// What the parts of the type evaluation need from each other, so that none imports another that imports it back.
import type { ErrorExtra, Spot } from "../errors";
import type { SourceModule } from "../source/modules";
import type { Found } from "../source/lookup";
import type { Declared } from "../source/scope";
import { ts, type TypeScript } from "../typescript";
import type { NamedType, Type } from "./type";

export interface Binding {
  type: Type;
  /** A type parameter: a conditional type on it goes through the members of a union one by one. */
  distributes: boolean;
  /** The key of a mapped type. */
  isKey?: true;
}

/** Names that have a meaning while a type is evaluated, and the module in which other names are looked up. */
export interface Env {
  module: SourceModule;
  names: ReadonlyMap<string, Binding>;
  /** Collects `infer X` names in the order they are met; present only right of `extends`. */
  infer?: string[];
}

export interface TypeContext {
  type(node: TypeScript.TypeNode, env: Env): Type;
  expression(node: TypeScript.Expression, env: Env): Type;
  /** What is behind a name; other types are returned as they are. */
  underlying(type: Type): Type;
  /** The type of a declaration itself, without type arguments. */
  declaredType(declared: Declared, module: SourceModule): Type;
  /** Looks a name up in a module: its own declarations, its imports, the universe. */
  lookup(name: string, module: SourceModule): Found | undefined;
  /** Looks up what a module exports under a name. */
  exported(name: string, module: SourceModule): Found | undefined;
  isUniverse(module: SourceModule): boolean;
  report(message: string, spot: Spot | undefined, extra?: ErrorExtra): void;
  /** Refuses at a node and gives the type that stands for "nothing". */
  refuse(node: TypeScript.Node, message: string, extra?: ErrorExtra): Type;
  /** The type that TypeScript's checker tells; for extended mode. */
  checked(node: TypeScript.TypeReferenceNode): Type;
  /** Whether a name is imported from a package other than encore.dev. */
  isPackaged(name: string, module: SourceModule): boolean;
  /** Accept what has an obvious meaning on the wire although Encore's parser refuses it. */
  readonly extended: boolean;
}

export const named = (declared: Declared, module: SourceModule, args: Type[] = []): NamedType => ({
  kind: "named",
  declared,
  module,
  args,
});

export const bind = (env: Env, entries: Iterable<[string, Binding]>): Env => ({
  ...env,
  names: new Map([...env.names, ...entries]),
});

/** Whether a type parameter, the key of a mapped type or an inferred name stands in what is written. */
export function isOpen(node: TypeScript.Node, env: Env): boolean {
  if (!env.names.size) return false;
  if (ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName) && env.names.has(node.typeName.text)) return true;
  return ts.forEachChild(node, (child) => isOpen(child, env) || undefined) ?? false;
}
