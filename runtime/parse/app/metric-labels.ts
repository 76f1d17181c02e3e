// Labels of a metric group: one value type each.
import type { MetricModel } from "../../model";
import { spotOf } from "../source/modules";
import { interfaceBehind } from "../resources/endpoint-types";
import { reservedLabel } from "../resources/metric";
import { snakeCase } from "../resources/names";
import type { MetricResource } from "../resources/resource";
import { basicName } from "../types/debug-text";
import type { Type } from "../types/type";
import type { Reading } from "./read-app";

type LabelType = "STRING" | "INT64" | "BOOL";
type Answer = { type: LabelType } | { problem: string };

const BASICS: Record<string, LabelType> = { string: "STRING", number: "INT64", bigint: "INT64", boolean: "BOOL" };
const PROBLEMS: Partial<Record<Type["kind"], string>> = {
  array: "array types are not allowed",
  interface: "object types are not allowed",
  optional: "optional types are not allowed",
};
const DEBUG: Record<LabelType, string> = { STRING: "String", INT64: "Int64", BOOL: "Bool" };

function unionLabel(types: Type[]): Answer {
  const [first, ...others] = types.map(labelType);
  if (!first) return { problem: "empty union type" };
  if ("problem" in first) return first;
  for (const other of others) {
    if ("problem" in other) return other;
    if (other.type !== first.type)
      return {
        problem: `union contains incompatible types: expected all members to be compatible with ${DEBUG[first.type]}`,
      };
  }
  return first;
}

function labelType(type: Type): Answer {
  if (type.kind === "union") return unionLabel(type.types);
  if (type.kind === "named") return { problem: `named type '${type.declared.name ?? "unknown"}' is not allowed` };
  const name = type.kind === "basic" ? type.name : type.kind === "literal" ? typeof type.value : undefined;
  const found = name === undefined || (type.kind === "basic" && name === "bigint") ? undefined : BASICS[name];
  if (found) return { type: found };
  if (type.kind === "basic") return { problem: `type '${basicName(type.name)}' is not allowed` };
  return { problem: PROBLEMS[type.kind] ?? "this type is not allowed" };
}

export function metricLabels(
  { labels, node }: MetricResource,
  { evaluator, diagnostics }: Reading,
): MetricModel["labels"] {
  const fields = labels ? (interfaceBehind(labels.type, evaluator)?.fields ?? []) : [];
  return fields.flatMap((field) => {
    const key = snakeCase(field.name);
    const spot = field.spot ?? spotOf(node);
    if (key === "service") {
      diagnostics.report(reservedLabel(field.name), spot);
      return [];
    }
    const answer = labelType(field.type);
    if ("type" in answer) return [{ key, type: answer.type }];
    const hint = "Labels must be string, number, or boolean (or unions thereof)";
    diagnostics.report(`invalid type for metric label '${field.name}': ${answer.problem}. ${hint}`, spot);
    return [];
  });
}
