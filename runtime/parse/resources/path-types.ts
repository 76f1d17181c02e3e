// Types of path parameters (L-25): text, boolean, number. A wildcard is always text.
import type { PathSegment } from "../../model";
import { Refusal } from "../errors";
import { dump, render, renderValidation } from "../types/debug-text";
import { unsupportedRules } from "../types/validation";
import type { Type, ValidationExpr } from "../types/type";
import type { PathPart } from "./path";
import type { Param } from "./resource";
import { toValidation } from "../types/validation-model";

type Dynamic = Exclude<PathSegment, { kind: "literal" }>;

const VALUE_TYPES: Record<string, Dynamic["type"]> = {
  string: "string",
  boolean: "bool",
  number: "int",
  bigint: "int",
};

function refuseRules(expr: ValidationExpr, type: Type, param: Param): void {
  const [rule] = unsupportedRules(expr, type);
  if (rule)
    throw new Refusal(
      `unsupported validation: ${renderValidation(rule)} cannot be applied to ${render(type)}`,
      param.spot,
    );
}

function typed(segment: Dynamic, param: Param): PathSegment {
  const { type, expr } = param.type.kind === "validated" ? param.type : { type: param.type, expr: undefined };
  if (expr) refuseRules(expr, type, param);
  const value = type.kind === "basic" ? VALUE_TYPES[type.name] : undefined;
  if (!value) {
    throw new Refusal(`unsupported path parameter type: ${dump(type)}`, param.spot, {
      remedy: "A path parameter is string, number, boolean or bigint.",
    });
  }
  return {
    ...segment,
    type: segment.kind === "param" ? value : "string",
    ...(expr && { validation: toValidation(expr) }),
  };
}

/** The path with the types of its parameters. @throws Refusal for a type that has no text form in a path */
export function typedPath(path: PathPart[], params: Param[], raw: boolean): PathPart[] {
  return path.map((part) => {
    const { segment, spot } = part;
    if (segment.kind === "literal") return part;
    const param = params.find((candidate) => candidate.in === "path" && candidate.name === segment.value);
    if (param) return { spot, segment: typed(segment, param) };
    if (raw) return part;
    throw new Refusal("path parameter not found in request schema", spot);
  });
}
