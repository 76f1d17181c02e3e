// A JSON Schema taken apart into alternatives of one kind each (a value, a string, an object, …), so that two schemas can
// be compared whatever way they are written: `enum: ["a"]` is `const: "a"`, `anyOf` is `type: [...]`, a `$ref` is what it
// names. What this file does not understand becomes an "opaque" alternative, which is equal to itself and to nothing else.
import type { JsonSchema } from "../contracts";

export type Kind = "any" | "value" | "null" | "boolean" | "string" | "number" | "array" | "object" | "opaque";

export interface Alternative {
  readonly kind: Kind;
  readonly schema: JsonSchema;
  /** Of the kind "value" only. */
  readonly value?: unknown;
}

/** Keywords that say nothing about which values fit. */
const ANNOTATIONS = new Set(
  "$schema $id $comment $defs title description examples default deprecated readOnly writeOnly".split(" "),
);
const KEYWORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  null: new Set(["type"]),
  boolean: new Set(["type"]),
  string: new Set("type minLength maxLength pattern format contentEncoding contentMediaType".split(" ")),
  number: new Set("type minimum maximum exclusiveMinimum exclusiveMaximum multipleOf".split(" ")),
  array: new Set("type items prefixItems minItems maxItems uniqueItems".split(" ")),
  object: new Set("type properties required additionalProperties propertyNames minProperties maxProperties".split(" ")),
};

const isAnnotation = (keyword: string): boolean => ANNOTATIONS.has(keyword) || keyword.startsWith("x-");
const keywordsOf = (schema: JsonSchema): string[] => Object.keys(schema).filter((keyword) => !isAnnotation(keyword));

/** `schema` as alternatives; none when nothing fits it. `root` is the document that `$ref` points into. */
export function alternativesOf(schema: unknown, root: JsonSchema): Alternative[] {
  if (schema === undefined || schema === true) return [{ kind: "any", schema: {} }];
  if (schema === false) return [];
  const given = schema as JsonSchema;
  const keywords = keywordsOf(given);
  const opaque: Alternative[] = [{ kind: "opaque", schema: given }];
  if (keywords.length === 0) return [{ kind: "any", schema: given }];
  const [only] = keywords;
  if (keywords.length === 1) {
    if (only === "$ref") return alternativesOf(resolve(String(given.$ref), root), root);
    if (only === "anyOf" || only === "oneOf")
      return (given[only] as unknown[]).flatMap((each) => alternativesOf(each, root));
    if (only === "not" && canonical(given.not) === "{}") return [];
  }
  const values = Object.hasOwn(given, "const") ? [given.const] : (given.enum as unknown[] | undefined);
  if (values) return keywords.every(isOfValues) ? values.map(valueOf) : opaque;
  return typed(given, keywords) ?? opaque;
}

/** A list of values says their type by itself. */
const isOfValues = (keyword: string): boolean => keyword === "const" || keyword === "enum" || keyword === "type";

const valueOf = (value: unknown): Alternative => ({ kind: value === null ? "null" : "value", schema: {}, value });

function typed(schema: JsonSchema, keywords: readonly string[]): Alternative[] | undefined {
  const types = typeof schema.type === "string" ? [schema.type] : Array.isArray(schema.type) ? schema.type : undefined;
  if (!types) return undefined;
  const found = types.map((type) => {
    const kind = type === "integer" ? "number" : String(type);
    return { kind: kind as Kind, schema: { ...schema, type: String(type) }, known: KEYWORDS[kind] };
  });
  // With several types each keyword is about one of them; with one, a keyword of another is a slip that means nothing here.
  const isUnderstood = keywords.every((keyword) => found.some(({ known }) => known?.has(keyword)));
  return isUnderstood ? found.map(({ kind, schema: each }) => ({ kind, schema: each })) : undefined;
}

function resolve(reference: string, root: JsonSchema): unknown {
  const steps = reference.split("/").slice(1);
  const found = steps.reduce<unknown>((at, step) => (at as JsonSchema | undefined)?.[step], root);
  if (!reference.startsWith("#") || found === undefined)
    throw new TypeError(`the contract refers to "${reference}", which is not in it`);
  return found;
}

/** The same text for schemas and values that differ in the order of keys and in annotations only. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(
      Object.entries(inner)
        .filter(([name]) => !isAnnotation(name))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  });
}
