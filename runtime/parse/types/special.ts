// Types of `encore.dev` that mean something on the wire: Header, Query, Cookie, HttpStatus, Attribute, and the
// validation rules of `encore.dev/validate`.
import { spotOf } from "../source/modules";
import type { SourceModule } from "../source/modules";
import type { TypeScript } from "../typescript";
import type { TypeContext } from "./context";
import { basic, type Rule, type Type, type WireLocation } from "./type";

const API_LOCATIONS: Record<string, WireLocation> = {
  Header: "header",
  Query: "query",
  Cookie: "cookie",
  HttpStatus: "httpStatus",
};

function wireLocation(name: string, specifier: string | undefined): WireLocation | undefined {
  if (specifier === "encore.dev/api" && Object.hasOwn(API_LOCATIONS, name)) return API_LOCATIONS[name];
  return specifier === "encore.dev/pubsub" && name === "Attribute" ? "attribute" : undefined;
}

function wireName(type: Type, node: TypeScript.Node, ctx: TypeContext): { name?: string } {
  if (type.kind === "literal" && typeof type.value === "string") return { name: type.value };
  ctx.report("expected a string literal as the second type argument", spotOf(node));
  return {};
}

/** A reference as it is written; `isOpen` when its first argument is a type parameter. */
export interface Written {
  node: TypeScript.Node;
  isOpen: boolean;
}

/** `Header`, `Header<"X">`, `Header<number>`, `Header<number, "X">`. */
function wireType(location: WireLocation, args: Type[], { node, isOpen }: Written, ctx: TypeContext): Type | undefined {
  if (location === "httpStatus") {
    if (!args.length) return { kind: "wire", location, type: basic("number") };
    ctx.report("HttpStatus doesn't take generic type parameters", spotOf(node));
    return undefined;
  }
  const [first, second] = args;
  if (!first) return { kind: "wire", location, type: basic("string") };
  if (second) return { kind: "wire", location, type: first, ...wireName(second, node, ctx) };
  // A type parameter stands for the value's type, whatever it is given.
  if (!isOpen && first.kind === "literal" && typeof first.value === "string")
    return { kind: "wire", location, type: basic("string"), name: first.value };
  return { kind: "wire", location, type: first };
}

const NUMBER_RULES = { Min: "minValue", Max: "maxValue", MinLen: "minLen", MaxLen: "maxLen" } as const;
const TEXT_RULES = { StartsWith: "startsWith", EndsWith: "endsWith", MatchesRegexp: "matchesRegexp" } as const;

function numberRule(name: keyof typeof NUMBER_RULES, arg: Type | undefined): Rule | undefined {
  if (arg?.kind !== "literal" || typeof arg.value !== "number") return undefined;
  const isLength = name === "MinLen" || name === "MaxLen";
  if (isLength && (!Number.isInteger(arg.value) || arg.value < 0)) return undefined;
  return { rule: NUMBER_RULES[name], value: arg.value };
}

function validationRule(name: string, args: Type[], node: TypeScript.Node, ctx: TypeContext): Rule | undefined {
  if (name === "IsEmail") return { rule: "is", value: "email" };
  if (name === "IsURL") return { rule: "is", value: "url" };
  const [arg] = args;
  if (Object.hasOwn(NUMBER_RULES, name)) {
    const rule = numberRule(name as keyof typeof NUMBER_RULES, arg);
    if (!rule) ctx.report(`${name} requires a number literal as its first type argument`, spotOf(node));
    return rule;
  }
  if (!Object.hasOwn(TEXT_RULES, name)) return undefined;
  if (arg?.kind === "literal" && typeof arg.value === "string")
    return { rule: TEXT_RULES[name as keyof typeof TEXT_RULES], value: arg.value };
  ctx.report(`${name} requires a string literal as its first type argument`, spotOf(node));
  return undefined;
}

/** The special meaning of a named type, or undefined when it has none. */
export function specialType(
  name: string,
  module: SourceModule,
  args: Type[],
  written: Written,
  ctx: TypeContext,
): Type | undefined {
  const { specifier } = module;
  const location = wireLocation(name, specifier);
  if (location) return wireType(location, args, written, ctx);
  if (specifier === "encore.dev/types" && name === "Decimal") return { kind: "decimal" };
  if (specifier !== "encore.dev/validate") return undefined;
  const rule = validationRule(name, args, written.node, ctx);
  return rule && { kind: "validation", expr: rule };
}
