// `keyof T` and `T[K]`.
import { spotOf } from "../source/modules";
import { ts, type TypeScript } from "../typescript";
import type { TypeContext } from "./context";
import { dumpHead, render } from "./debug-text";
import { basic, isDeferred, literal, NEVER, union, type InterfaceType, type Type } from "./type";

const KEYLESS = new Set(["string", "boolean", "number", "bigint", "symbol"]);

export function keyOf(type: Type, ctx: TypeContext): Type {
  switch (type.kind) {
    case "basic":
      if (type.name === "any") return union([basic("string"), basic("number"), basic("symbol")]);
      return KEYLESS.has(type.name) ? union([]) : NEVER;
    case "enum":
      return union(type.members.map((member) => literal(member.name)));
    case "array":
    case "tuple":
    case "literal":
      return union([]);
    case "interface":
      return union(type.fields.map((field) => literal(field.name)));
    case "named":
      return keyOf(ctx.underlying(type), ctx);
    case "optional":
    case "validated":
    case "wire":
      return keyOf(type.type, ctx);
    case "union":
      return union(type.types.map((member) => keyOf(member, ctx)));
    default:
      return keyOfOther(type, ctx);
  }
}

function keyOfOther(type: Type, ctx: TypeContext): Type {
  if (isDeferred(type)) return { kind: "deferred", what: "Keyof" };
  if (type.kind === "class") ctx.report("keyof ClassType not yet supported", undefined);
  if (type.kind === "validation") ctx.report("keyof ValidationExpr unsupported", undefined);
  return NEVER;
}

/** Where a key is known only after a type parameter is, Encore has lost the place by then. */
function isGeneric(node: TypeScript.Node): boolean {
  const { typeParameters } = node as { typeParameters?: unknown };
  return (
    !ts.isSourceFile(node) && (ts.isMappedTypeNode(node) || typeParameters !== undefined || isGeneric(node.parent))
  );
}

function indexByUnion(type: InterfaceType, keys: Type[], node: TypeScript.Node, ctx: TypeContext): Type {
  const types: Type[] = [];
  for (const key of keys) {
    if (key.kind !== "literal" || typeof key.value !== "string") {
      return ctx.refuse(node, "only string literals supported when using index access with union");
    }
    const field = type.fields.find((candidate) => candidate.name === key.value);
    if (field) types.push(field.type);
  }
  return union(types);
}

function indexInterface(type: InterfaceType, index: Type, node: TypeScript.Node, ctx: TypeContext): Type {
  if (index.kind === "literal" && typeof index.value === "string") {
    const field = type.fields.find((candidate) => candidate.name === index.value);
    if (!field) return NEVER;
    return field.optional ? { kind: "optional", type: field.type } : field.type;
  }
  if (index.kind === "basic" && (index.name === "string" || index.name === "number")) return type.index?.value ?? NEVER;
  const message = "unsupported index access type operation";
  return index.kind === "union"
    ? indexByUnion(type, index.types, node, ctx)
    : ctx.refuse(node, message, isGeneric(node) ? { official: message } : {});
}

/** `(typeof list)[number]`, `List[number]` and `Tuple[0]`: their element, accepted in extended mode only. */
function indexList(type: Type, index: Type): Type | undefined {
  if (type.kind === "tuple" && index.kind === "literal" && typeof index.value === "number")
    return type.types[index.value];
  if (index.kind !== "basic" || index.name !== "number") return undefined;
  if (type.kind === "array") return type.elem;
  return type.kind === "tuple" ? union(type.types) : undefined;
}

export function indexType(type: Type, index: Type, node: TypeScript.Node, ctx: TypeContext): Type {
  if (isDeferred(type) || isDeferred(index)) return { kind: "deferred", what: "Index" };
  if (type.kind === "named") return indexType(ctx.underlying(type), index, node, ctx);
  if (index.kind === "named") return indexType(type, ctx.underlying(index), node, ctx);
  if (type.kind === "interface") return indexInterface(type, index, node, ctx);
  if (type.kind === "validated") return { ...type, type: indexType(type.type, index, node, ctx) };
  const element = ctx.extended ? indexList(type, index) : undefined;
  if (element) return element;
  ctx.report(`unsupported indexed access type operation: ${render(index)} of ${render(type)}`, spotOf(node), {
    official: `unsupported indexed access type operation: obj ${dumpHead(type)}`,
    remedy: "Name the element type itself: indexed access works on fields of an interface only.",
  });
  return NEVER;
}
