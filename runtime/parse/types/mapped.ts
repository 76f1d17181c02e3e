// Mapped types: one field per literal key, an index signature for `string` and `number`.
import { spotOf } from "../source/modules";
import { ts, type TypeScript } from "../typescript";
import { bind, type Env, type TypeContext } from "./context";
import { dumpHead, render } from "./debug-text";
import { isBasic, isDeferred, members, type InterfaceType, type Type } from "./type";

const INDEX_KEYS = ["string", "number", "symbol"] as const;

/** `?` adds optionality, `-?` removes it, nothing leaves it as the field says. */
function optionality(node: TypeScript.MappedTypeNode): boolean | undefined {
  if (!node.questionToken) return undefined;
  return node.questionToken.kind !== ts.SyntaxKind.MinusToken;
}

function addKey(into: InterfaceType, key: Type, value: Type, node: TypeScript.MappedTypeNode, ctx: TypeContext): void {
  if (isBasic(key, ...INDEX_KEYS)) {
    into.index = { key, value };
  } else if (key.kind === "literal" && typeof key.value === "string") {
    const isOptional = value.kind === "optional";
    into.fields.push({ name: key.value, type: isOptional ? value.type : value, optional: isOptional });
  } else {
    const official = `unsupported mapped key type: ${dumpHead(key)}`;
    ctx.report(`unsupported mapped key type: ${render(key)}`, spotOf(node), {
      official,
      remedy: "Keys are string literals, or string or number as a whole.",
    });
  }
}

function withOptionality(type: InterfaceType, optional: boolean | undefined): InterfaceType {
  if (optional === undefined) return type;
  const fields = type.fields.map((field) => ({ ...field, optional }));
  if (!type.index) return { ...type, fields };
  const { key, value } = type.index;
  const inner = value.kind === "optional" ? value.type : value;
  return { ...type, fields, index: { key, value: optional ? { kind: "optional", type: inner } : inner } };
}

/** Inside of a mapped type Encore knows the innermost key only. */
const withoutKeys = (env: Env): Env => ({
  ...env,
  names: new Map([...env.names].filter(([, binding]) => !binding.isKey)),
});

export function mappedType(node: TypeScript.MappedTypeNode, env: Env, ctx: TypeContext): Type {
  const { typeParameter, nameType, type: valueNode } = node;
  if (!valueNode) return ctx.refuse(node, "missing value type annotation");
  if (!typeParameter.constraint) return ctx.refuse(node, "missing 'in' type annotation");
  const keys = ctx.underlying(ctx.type(typeParameter.constraint, env));
  const result: InterfaceType = { kind: "interface", fields: [] };
  const outer = ctx.extended ? env : withoutKeys(env);
  for (const key of members(keys)) {
    const keyed = bind(outer, [[typeParameter.name.text, { type: key, distributes: false, isKey: true }]]);
    const value = ctx.type(valueNode, keyed);
    if (isBasic(value, "never")) continue;
    const renamed = nameType ? ctx.underlying(ctx.type(nameType, keyed)) : key;
    if (isBasic(renamed, "never")) continue;
    if (isDeferred(renamed)) return { kind: "deferred", what: "Mapped" };
    addKey(result, renamed, value, node, ctx);
  }
  return withOptionality(result, optionality(node));
}
