// Types as text, in the two ways Encore's messages write them: for people (`render`), and as a dump of its own
// data (`dump`), which parity asks for where its messages have one.
import type { ErrorExtra } from "../errors";
import type { Type, ValidationExpr } from "./type";

const VARIANT: Record<Type["kind"], string> = {
  basic: "Basic",
  array: "Array",
  tuple: "Tuple",
  interface: "Interface",
  union: "Union",
  literal: "Literal",
  class: "Class",
  enum: "Enum",
  named: "Named",
  optional: "Optional",
  this: "This",
  validation: "Validation",
  validated: "Validated",
  wire: "Custom",
  decimal: "Custom",
  function: "Function",
  parameter: "Generic",
  inferred: "Generic",
  intersection: "Generic",
  deferred: "Generic",
};

/** First line of the dump over several lines. */
export const dumpHead = (type: Type): string => `${VARIANT[type.kind]}(`;

/** Encore's line where its message ends in a dump: behind a long one it does not say the place any more. */
export const dumped = (line: string, type: Type): ErrorExtra =>
  type.kind === "basic" ? { wording: line } : { official: line };

/** First line of the dump of a deferred type without its wrapper. */
export function deferredHead(type: Type): string {
  if (type.kind === "deferred") return `${type.what}(`;
  return type.kind === "inferred" ? "Inferred(" : "Intersection(";
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const list = (types: Type[]): string => `[${types.map(dump).join(", ")}]`;
const float = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));
/** As Encore spells it. */
export const basicName = (name: string): string => (name === "bigint" ? "BigInt" : capital(name));

function dumpLiteral(value: string | number | boolean | bigint): string {
  if (typeof value === "string") return `String(${JSON.stringify(value)})`;
  if (typeof value === "number") return `Number(${float(value)})`;
  return typeof value === "boolean" ? `Boolean(${value})` : `BigInt("${value}")`;
}

function dumpInterface(type: Extract<Type, { kind: "interface" }>): string {
  const fields = type.fields.map(
    (f) => `InterfaceField { name: String(${JSON.stringify(f.name)}), optional: ${f.optional}, typ: ${dump(f.type)} }`,
  );
  const index = type.index ? `Some((${dump(type.index.key)}, ${dump(type.index.value)}))` : "None";
  const call = type.calls
    ? `Some([${type.calls.map((c) => `(${list(c.params)}, ${dump(c.returns)})`).join(", ")}])`
    : "None";
  return `Interface { fields: [${fields.join(", ")}], index: ${index}, call: ${call} }`;
}

function dumpWire(type: Extract<Type, { kind: "wire" }>): string {
  const location = type.location === "attribute" ? "PubSubAttr" : capital(type.location);
  const name = type.name === undefined ? "None" : `Some(${JSON.stringify(type.name)})`;
  return `WireSpec(WireSpec { location: ${location}, underlying: ${dump(type.type)}, name_override: ${name} })`;
}

function dumpInner(type: Type): string {
  switch (type.kind) {
    case "basic":
      return basicName(type.name);
    case "array":
      return `Array(${dump(type.elem)})`;
    case "tuple":
    case "union":
      return `${VARIANT[type.kind]} { types: ${list(type.types)} }`;
    case "interface":
      return dumpInterface(type);
    case "literal":
      return dumpLiteral(type.value);
    case "class":
      return `ClassType { methods: [${type.methods.map((m) => JSON.stringify(m)).join(", ")}] }`;
    case "enum":
      return `EnumType { members: [${type.members.map((m) => `EnumMember { name: ${JSON.stringify(m.name)}, value: ${capital(typeof m.value)}(${JSON.stringify(m.value)}) }`).join(", ")}] }`;
    case "named":
      return `Named { obj: Object { name: Some(${JSON.stringify(type.declared.name ?? "")}) }, type_arguments: ${list(type.args)} }`;
    case "optional":
      return `Optional(${dump(type.type)})`;
    case "intersection":
      return `Intersection(Intersection { x: ${dump(type.left)}, y: ${dump(type.right)} })`;
    case "wire":
      return dumpWire(type);
    case "validated":
      return `Validated { typ: ${dump(type.type)}, expr: ${dumpValidation(type.expr)} }`;
    case "validation":
      return dumpValidation(type.expr);
    default:
      return dumpRest(type);
  }
}

function dumpRest(type: Type): string {
  if (type.kind === "decimal") return "Decimal";
  if (type.kind === "this") return "This";
  if (type.kind === "parameter") return `TypeParam(TypeParam { idx: ${type.index}, constraint: None })`;
  if (type.kind === "inferred") return `Inferred(Inferred(${type.index}))`;
  return type.kind === "deferred" ? type.what : "FunctionType";
}

/** On one line, as `{:?}` writes it. */
export const dump = (type: Type): string => `${VARIANT[type.kind]}(${dumpInner(type)})`;

const RULE_NAME = {
  minLen: "MinLen",
  maxLen: "MaxLen",
  minValue: "Min",
  maxValue: "Max",
  startsWith: "StartsWith",
  endsWith: "EndsWith",
  matchesRegexp: "MatchesRegexp",
};

const RULE_DUMP = { minValue: "MinVal", maxValue: "MaxVal" } as const;

function dumpValidation(expr: ValidationExpr): string {
  if ("op" in expr) return `${capital(expr.op)}([${expr.of.map(dumpValidation).join(", ")}])`;
  if (expr.rule === "is") return `Rule(Is(${expr.value === "email" ? "Email" : "Url"}))`;
  const name = expr.rule === "minValue" || expr.rule === "maxValue" ? RULE_DUMP[expr.rule] : RULE_NAME[expr.rule];
  if (typeof expr.value === "string") return `Rule(${name}(${JSON.stringify(expr.value)}))`;
  return `Rule(${name}(${expr.rule === "minValue" || expr.rule === "maxValue" ? `N(${float(expr.value)})` : expr.value}))`;
}

/** As it is written in the source: `MinLen<3>`, `(MinLen<3> & MaxLen<5>)`. */
export function renderValidation(expr: ValidationExpr): string {
  if ("op" in expr) return `(${expr.of.map(renderValidation).join(expr.op === "and" ? " & " : " | ")})`;
  if (expr.rule === "is") return expr.value === "email" ? "IsEmail" : "IsURL";
  const closing = expr.rule === "endsWith" || expr.rule === "matchesRegexp" ? "" : ">";
  return `${RULE_NAME[expr.rule]}<${typeof expr.value === "string" ? JSON.stringify(expr.value) + closing : `${expr.value}>`}`;
}

function renderLiteral(value: string | number | boolean | bigint): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function renderNamed(type: Extract<Type, { kind: "named" }>): string {
  const args = type.args.length ? `<${type.args.map(render).join(", ")}>` : "";
  return (type.declared.name ?? "UnknownObject") + args;
}

/** Roughly TypeScript. */
export function render(type: Type): string {
  switch (type.kind) {
    case "basic":
      return type.name;
    case "array":
      return `Array<${render(type.elem)}>`;
    case "interface":
      return `interface { ${type.fields.map((f) => `${f.name}${f.optional ? "?" : ""}: ${render(f.type)}`).join("; ")} }`;
    case "union":
      return type.types.map(render).join(" | ");
    case "tuple":
      return `[${type.types.map(render).join(", ")}]`;
    case "literal":
      return renderLiteral(type.value);
    case "named":
      return renderNamed(type);
    case "optional":
      return `${render(type.type)}?`;
    case "validation":
      return renderValidation(type.expr);
    case "validated":
      return `${render(type.type)} & ${renderValidation(type.expr)}`;
    case "intersection":
      return `${render(type.left)} & ${render(type.right)}`;
    default:
      return renderRest(type);
  }
}

function renderRest(type: Type): string {
  if (type.kind === "class") return "class {}";
  if (type.kind === "decimal") return "Decimal";
  if (type.kind === "this") return "this";
  if (type.kind === "enum") return `enum { ${type.members.map((m) => m.name).join(", ")} }`;
  if (type.kind === "parameter") return `TypeParam#${type.index}`;
  if (type.kind !== "wire") return type.kind;
  if (type.location === "httpStatus") return "HttpStatus";
  const name = type.name === undefined ? "" : `, ${JSON.stringify(type.name)}`;
  return `${type.location === "attribute" ? "Attribute" : capital(type.location)}<${render(type.type)}${name}>`;
}
