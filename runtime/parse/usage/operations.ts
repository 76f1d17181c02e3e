// Which operations a type argument of `.ref<…>()` allows: the SDK's permission types, alone or intersected.
import type { Type } from "../types/type";
import type { Evaluator } from "../types/evaluator";
import { dumped, dumpHead } from "../types/debug-text";
import type { Diagnostics } from "../errors";
import { spotOf } from "../source/modules";
import type { TypeScript } from "../typescript";

const MAX_DEPTH = 10;

export interface Permissions {
  /** Permission type → operation. */
  types: Record<string, string>;
  /** Method → operation, for classes that stand for all of their methods. */
  methods: Record<string, string>;
  /** "bucket" or "topic". */
  what: string;
}

interface Ask extends Permissions {
  evaluator: Evaluator;
  diagnostics: Diagnostics;
  node: TypeScript.Node;
}

function collect(type: Type, ask: Ask, depth: number): string[] | undefined {
  if (depth > MAX_DEPTH) return undefined;
  if (type.kind === "named") {
    const operation = ask.types[type.declared.name ?? ""];
    if (operation !== undefined) return [operation];
    return collect(ask.evaluator.declaredType(type.declared, type.module), ask, depth + 1);
  }
  if (type.kind === "class") return type.methods.flatMap((method) => ask.methods[method] ?? []);
  if (type.kind === "intersection") {
    const both = [...(collect(type.left, ask, depth + 1) ?? []), ...(collect(type.right, ask, depth + 1) ?? [])];
    return both.length ? both : undefined;
  }
  const message = `unsupported ${ask.what} permission type`;
  ask.diagnostics.report(message, spotOf(ask.node), dumped(`${message} ${dumpHead(type)}`, type));
  return undefined;
}

/** The operations of a permission type; reports when there is none. */
export function permittedOperations(
  type: Type,
  node: TypeScript.Node,
  permissions: Permissions,
  evaluator: Evaluator,
  diagnostics: Diagnostics,
): string[] | undefined {
  const found = collect(type, { ...permissions, evaluator, diagnostics, node }, 0);
  if (!found) diagnostics.report(`no ${permissions.what} permissions found in type argument`, spotOf(node));
  return found;
}
