// Schemas as the text that the parity kit compares: `{ name?: list<string> & min_len(2) @header(X) }`.
import type { Decl, Field, PathSegment, Schema, Validation } from "../model";

type Decls = Record<string, Decl>;

const RULES = {
  minLen: "min_len",
  maxLen: "max_len",
  minValue: "min_val",
  maxValue: "max_val",
  startsWith: "starts_with",
  endsWith: "ends_with",
  matchesRegexp: "matches_regexp",
};

export function validationText(validation: Validation): string {
  if ("op" in validation) return `(${validation.of.map(validationText).join(validation.op === "and" ? " & " : " | ")})`;
  if (validation.rule === "is") return `is(${validation.value.toUpperCase()})`;
  return `${RULES[validation.rule]}(${validation.value})`;
}

const WIRE_NAMES = { header: "header", query: "query", cookie: "cookie", httpStatus: "http_status" };

function fieldText(field: Field, decls: Decls, open: readonly string[]): string {
  const { name, optional, type, wire, tags = [] } = field;
  const place = wire ? ` @${WIRE_NAMES[wire.in]}${"name" in wire && wire.name ? `(${wire.name})` : ""}` : "";
  const tagText = tags.map((tag) => ` #${tag.key}:${tag.name}`).join("");
  return `${name}${optional ? "?" : ""}: ${typeText(type, decls, open)}${place}${tagText}`;
}

function namedText(schema: Extract<Schema, { kind: "named" }>, decls: Decls, open: readonly string[]): string {
  const decl = decls[schema.id];
  if (!decl) return `<${schema.id}>`;
  if (open.includes(decl.id)) return `<${decl.name}>`;
  const args = (schema.args ?? []).map((arg) => typeText(arg, decls, open));
  return (args.length ? `[${args.join(", ")}]` : "") + typeText(decl.type, decls, [...open, decl.id]);
}

function baseText(schema: Schema, decls: Decls, open: readonly string[]): string {
  const sub = (inner: Schema): string => typeText(inner, decls, open);
  switch (schema.kind) {
    case "named":
      return namedText(schema, decls, open);
    case "struct":
      return `{ ${schema.fields.map((field) => fieldText(field, decls, open)).join("; ")} }`;
    case "map":
      return `map<${sub(schema.key)}, ${sub(schema.value)}>`;
    case "list":
      return `list<${sub(schema.elem)}>`;
    case "union":
      return `(${schema.types.map(sub).join(" | ")})`;
    case "option":
      return `option<${sub(schema.value)}>`;
    case "literal":
      return JSON.stringify(schema.value);
    case "builtin":
      return schema.name;
    case "typeParameter":
      return `T${schema.index}`;
  }
}

export function typeText(schema: Schema, decls: Decls, open: readonly string[] = []): string {
  return baseText(schema, decls, open) + (schema.validation ? ` & ${validationText(schema.validation)}` : "");
}

const MARKS = { literal: "", param: ":", wildcard: "*", fallback: "!" } as const;

export function pathFacts(segments: PathSegment[]): string {
  const texts = segments.map((segment) => {
    if (segment.kind === "literal") return segment.value;
    const type = segment.type === "string" ? "" : `(${segment.type.toUpperCase()})`;
    return (
      MARKS[segment.kind] + segment.value + type + (segment.validation ? `<${validationText(segment.validation)}>` : "")
    );
  });
  return `/${texts.join("/")}`;
}
