// Payloads that fit a contract, to try an upcaster on: the one with as little as may be, the one with everything, and each
// alternative, value and bound of each field in turn. Not drawn at random, so that a refusal is the same in every build.
import type { JsonSchema } from "../contracts";
import { alternativesOf, type Alternative } from "./alternatives";

/** Samples of one schema; what lies beyond says nothing new. */
const SAMPLES_MAX = 200;
/** How deep a contract that refers to itself is followed. */
const DEPTH_MAX = 8;

const OF_FORMAT: Readonly<Record<string, string>> = {
  uuid: "0190d0a2-6a4c-7c3e-8c55-3f0b6f8f2a11",
  email: "ada@example.com",
  uri: "https://example.com/a",
  "date-time": "2026-01-02T03:04:05Z",
  date: "2026-01-02",
  time: "03:04:05",
  duration: "P1D",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
};

/** Throws TypeError for a contract that no sample can be made of: its field needs `examples`. */
export function samplesOf(contract: JsonSchema): unknown[] {
  return of(contract, contract, 0).slice(0, SAMPLES_MAX);
}

function of(schema: unknown, root: JsonSchema, depth: number): unknown[] {
  const examples = (schema as JsonSchema | undefined)?.examples;
  if (Array.isArray(examples) && examples.length > 0) return examples;
  return alternativesOf(schema, root).flatMap((alternative) => ofAlternative(alternative, root, depth));
}

function ofAlternative({ kind, schema, value }: Alternative, root: JsonSchema, depth: number): unknown[] {
  switch (kind) {
    case "value":
      return [value];
    case "null":
      return [null];
    case "boolean":
      return [true, false];
    case "any":
      return ["anything"];
    case "number":
      return numbers(schema);
    case "string":
      return [text(schema)];
    case "array":
      return lists(schema, root, depth);
    case "object":
      return objects(schema, root, depth);
    case "opaque":
      throw new TypeError('no sample can be made of it: give it some with .meta({ examples: ["…"] })');
  }
}

function numbers({ type, minimum, exclusiveMinimum, maximum, multipleOf }: JsonSchema): number[] {
  const step = Number(multipleOf ?? (type === "integer" ? 1 : 0.5));
  const above = typeof exclusiveMinimum === "number" ? exclusiveMinimum + step : -Infinity;
  const least = Math.max(Number(minimum ?? -Infinity), above);
  const low = Number.isFinite(least) ? Math.ceil(least / step) * step : 0;
  return [...new Set([low, Math.min(low + step, Number(maximum ?? Infinity))])];
}

function text({ format, pattern, minLength, maxLength }: JsonSchema): string {
  const known = typeof format === "string" ? OF_FORMAT[format] : undefined;
  if (known !== undefined) return known;
  if (pattern !== undefined || format !== undefined)
    throw new TypeError('no sample can be made of its pattern: give it some with .meta({ examples: ["…"] })');
  return "a".repeat(Math.max(Number(minLength ?? 0), Math.min(3, Number(maxLength ?? 3))));
}

function lists(schema: JsonSchema, root: JsonSchema, depth: number): unknown[] {
  const places = (schema.prefixItems ?? []) as readonly unknown[];
  const fixed = places.map((place) => of(place, root, depth + 1)[0]);
  const least = Math.max(Number(schema.minItems ?? 0) - fixed.length, 0);
  if (depth >= DEPTH_MAX || schema.items === undefined || schema.items === false) return [fixed];
  const rest = of(schema.items, root, depth + 1);
  const filled = (one: unknown): unknown[] => [...fixed, ...Array.from({ length: Math.max(least, 1) }, () => one)];
  return [...(least === 0 ? [fixed] : []), ...rest.map(filled)];
}

function objects(schema: JsonSchema, root: JsonSchema, depth: number): unknown[] {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, unknown>);
  const required = new Set((schema.required ?? []) as readonly string[]);
  const filled = properties.filter(([name]) => required.has(name) || depth < DEPTH_MAX);
  const choices = filled.map(([name, field]) => [name, of(field, root, depth + 1)] as const);
  const most = Object.fromEntries(choices.map(([name, [first]]) => [name, first]));
  const least = Object.fromEntries(Object.entries(most).filter(([name]) => required.has(name)));
  const others = choices.flatMap(([name, [, ...more]]) => more.map((value) => ({ ...most, [name]: value })));
  const extra = typeof schema.additionalProperties === "object" ? of(schema.additionalProperties, root, depth + 1) : [];
  return [least, most, ...others, ...extra.slice(0, 1).map((value) => ({ ...most, another: value }))];
}
