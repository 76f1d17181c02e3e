// References to types by name: type parameters, declarations, `Date` and `Array`, qualified names, `typeof x`.
import { isShadowed, isShadowedType } from "../source/bindings";
import { ts, type TypeScript } from "../typescript";
import { isOpen, named, type Env, type TypeContext } from "./context";
import { memberType } from "./member-access";
import { specialType } from "./special";
import { basic, NEVER, type Type } from "./type";
import type { Found } from "../source/lookup";

const NOT_A_TYPE: Record<string, string> = {
  variable: "value used as type",
  function: "value used as type",
  module: "module used as type",
  namespace: "namespace used as type",
};
const NOT_A_CONTAINER: Record<string, string> = {
  interface: "type",
  alias: "type",
  enum: "enum",
  variable: "variable",
  function: "function",
  class: "class",
};

/** What a name means that no inner scope declares. */
const topLevel = (node: TypeScript.Identifier, env: Env, ctx: TypeContext): Found | undefined =>
  isShadowedType(node) ? undefined : ctx.lookup(node.text, env.module);

function qualified(node: TypeScript.QualifiedName, env: Env, ctx: TypeContext): Found | undefined {
  const left = ts.isIdentifier(node.left) ? ctx.lookup(node.left.text, env.module) : qualified(node.left, env, ctx);
  if (!left) return undefined;
  const { declared, module } = left;
  if (declared.kind === "module") return ctx.exported(node.right.text, module);
  if (declared.kind === "namespace") {
    const { scope } = declared;
    const inner = node.right.text === "default" ? scope.defaultExport : scope.exports.get(node.right.text);
    return inner && { declared: inner, module };
  }
  ctx.refuse(node.right, `cannot yet resolve qualified name on ${NOT_A_CONTAINER[declared.kind] ?? declared.kind}`);
  return undefined;
}

const leftmost = (name: TypeScript.EntityName): TypeScript.Identifier =>
  ts.isIdentifier(name) ? name : leftmost(name.left);

/** A type that a package or TypeScript's library makes of its arguments: only TypeScript's checker can tell what comes of it. */
function checkedType(node: TypeScript.TypeReferenceNode, env: Env, ctx: TypeContext): Type | undefined {
  if (!ctx.extended) return undefined;
  const name = leftmost(node.typeName);
  if (isShadowedType(name) || !(ctx.isPackaged(name.text, env.module) || isLibrary(name.text, env, ctx)))
    return undefined;
  if (!isOpen(node, env)) return ctx.checked(node);
  return ctx.refuse(node, "this type cannot be read: its arguments are type parameters", {
    remedy: "Use it where its arguments are known.",
  });
}

const isLibrary = (name: string, env: Env, ctx: TypeContext): boolean =>
  !env.module.scope.imports.has(name) && !ctx.lookup(name, env.module);

const COMPUTED =
  "Write the type out: Encore does not read what a package computes. An app that need not run on Encore can use --extended.";

/** The way around a type of one's own that has the name of a global one. */
const GLOBAL = "Rename the app's own type of that name, and write the global one without `globalThis`.";

function remedyOf(node: TypeScript.EntityName, env: Env, ctx: TypeContext): { remedy?: string } {
  const { text } = leftmost(node);
  if (text === "globalThis") return { remedy: GLOBAL };
  return ctx.isPackaged(text, env.module) ? { remedy: COMPUTED } : {};
}

function entity(node: TypeScript.EntityName, env: Env, ctx: TypeContext): Found | undefined {
  const found = ts.isIdentifier(node) ? topLevel(node, env, ctx) : qualified(node, env, ctx);
  if (!found) {
    const remedy = remedyOf(node, env, ctx);
    ctx.refuse(node, ts.isIdentifier(node) ? "unknown identifier" : "unknown qualified name", remedy);
  }
  return found;
}

const isParameter = (node: TypeScript.TypeNode | undefined, env: Env): boolean =>
  node !== undefined &&
  ts.isTypeReferenceNode(node) &&
  ts.isIdentifier(node.typeName) &&
  env.names.has(node.typeName.text);

/** Type of a reference to something that is found; the order of the checks is Encore's. */
function referenceTo(found: Found, node: TypeScript.TypeReferenceNode, env: Env, ctx: TypeContext): Type {
  const { declared, module } = found;
  const name = declared.name ?? "";
  if (name === "Date" && ctx.isUniverse(module)) return basic("Date");
  const args = (node.typeArguments ?? []).map((arg) => ctx.type(arg, env));
  if (name === "Array" && ctx.isUniverse(module)) return { kind: "array", elem: args.at(-1) ?? NEVER };
  const special = specialType(name, module, args, { node, isOpen: isParameter(node.typeArguments?.[0], env) }, ctx);
  if (special) return special;
  const wrong = NOT_A_TYPE[declared.kind];
  return wrong === undefined ? named(declared, module, args) : ctx.refuse(node, wrong);
}

/** What needs no checker, because it holds for open arguments too. */
const EXTENDED_ALIASES: Record<string, (arg: Type) => Type> = {
  ReadonlyArray: (elem) => ({ kind: "array", elem }),
  Awaited: (type) => type,
};

export function referenceType(node: TypeScript.TypeReferenceNode, env: Env, ctx: TypeContext): Type {
  if (ts.isIdentifier(node.typeName)) {
    const bound = env.names.get(node.typeName.text);
    if (bound) return bound.type;
    const inferred = env.infer?.indexOf(node.typeName.text) ?? -1;
    if (inferred >= 0) return { kind: "inferred", index: inferred };
    const alias = ctx.extended ? EXTENDED_ALIASES[node.typeName.text] : undefined;
    const [argument] = node.typeArguments ?? [];
    const isTold = node.typeName.text === "Awaited" && !isOpen(node, env);
    if (alias && argument && !isTold && !ctx.lookup(node.typeName.text, env.module))
      return alias(ctx.type(argument, env));
  }
  const checked = checkedType(node, env, ctx);
  if (checked) return checked;
  const found = entity(node.typeName, env, ctx);
  return found ? referenceTo(found, node, env, ctx) : NEVER;
}

function queriedType(name: TypeScript.EntityName, env: Env, ctx: TypeContext): Type {
  if (!ts.isIdentifier(name)) return memberType(queriedType(name.left, env, ctx), name.right, env, ctx);
  const found = isShadowed(name) ? undefined : ctx.lookup(name.text, env.module);
  return found ? ctx.declaredType(found.declared, found.module) : ctx.refuse(name, "unknown identifier");
}

/** `typeof x`, `typeof x.y`. */
export function typeQuery(node: TypeScript.TypeQueryNode, env: Env, ctx: TypeContext): Type {
  if (node.typeArguments) return ctx.refuse(node, "typeof with type args not yet supported");
  return queriedType(node.exprName, env, ctx);
}
