// What the fuzzer needs of an OpenAPI document: operations with their parameters and body, and a value that
// a schema accepts, from which hostile ones are made.
import type { Random } from "./random";

export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header" | "cookie";
  required?: boolean;
  schema?: Schema;
}

interface RawOperation {
  parameters?: Parameter[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
}

export interface Document {
  paths: Record<string, Record<string, RawOperation>>;
  components?: { schemas?: Record<string, Schema> };
}

export interface Operation {
  method: string;
  /** With `{name}` for path parameters. */
  path: string;
  parameters: Parameter[];
  body?: Schema;
}

const METHODS = new Set(["get", "put", "post", "delete", "patch", "head", "options", "trace"]);

/** All operations of the document in the order they stand. */
export function operationsOf(document: Document): Operation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.has(method))
      .map(([method, operation]) => {
        const body = operation.requestBody?.content?.["application/json"]?.schema;
        return {
          method: method.toUpperCase(),
          path,
          parameters: operation.parameters ?? [],
          ...(body === undefined ? {} : { body }),
        };
      }),
  );
}

export type Sampler = (schema: Schema | undefined, depth?: number, name?: string) => unknown;

/** What a field of such a name takes where its schema says no more than "text": else nothing gets behind the look at its form. */
const BY_NAME: readonly [RegExp, (random: Random) => string][] = [
  [/^email$/, (random) => `fuzz-${random.integer(1, 50)}@example.com`],
  [/^currency$/, (random) => random.pick(["EUR", "JPY"])],
  [/^domain$/, (random) => `fuzz-${random.integer(1, 50)}.example.com`],
  [/^permissions$/, (random) => random.pick(["document.read", "member.read", "job.read"])],
  [/^networks$/, (random) => random.pick(["10.0.0.0/8", "127.0.0.1"])],
  [/^url$/, () => "https://hooks.example.com/"],
  [/^timeZone$/, () => "Europe/Berlin"],
  [/^issuer$/, () => "https://127.0.0.1:9/fuzz"],
  [/^(?:from|until)$/, (random) => `20${random.integer(20, 30)}-01-02T03:04:05Z`],
  [/[iI]ds?$/, () => "01890000-0000-7000-8000-000000000000"],
];

/** Makes values that the document's schemas accept; recursion ends after five levels. */
export function createSampler(document: Document, random: Random): Sampler {
  const text = (schema: Schema, _: number, name: string): string => {
    if (schema.format === "email") return `fuzz-${random.integer(1, 50)}@example.com`;
    if (schema.format === "uuid") return "01890000-0000-7000-8000-000000000000";
    if (schema.format === "date-time") return "2026-01-02T03:04:05Z";
    const named = BY_NAME.find(([pattern]) => pattern.test(name));
    if (named !== undefined) return named[1](random);
    return "lorem ipsum dolor "
      .repeat(8)
      .slice(0, Math.max(schema.minLength ?? 0, Math.min(schema.maxLength ?? 40, 40)));
  };
  /** A number need not be whole, and both ends of its range belong to it. */
  const numberOf = (min: number, max: number): number =>
    random.pick([min, min, max, min + 0.5, (min + max) / 3 + 1e-9]);
  const record = (schema: Schema, depth: number): Record<string, unknown> => {
    const wanted = Object.entries(schema.properties ?? {}).filter(
      ([name]) => schema.required?.includes(name) || random.chance(0.5),
    );
    return Object.fromEntries(wanted.map(([name, property]) => [name, sample(property, depth + 1, name)]));
  };
  const byType: Record<string, (schema: Schema, depth: number, name: string) => unknown> = {
    string: text,
    integer: (schema) => schema.minimum ?? random.integer(0, 20),
    number: (schema) => numberOf(schema.minimum ?? 0, schema.maximum ?? 20),
    boolean: () => random.chance(0.5),
    null: () => null,
    array: (schema, depth, name) =>
      Array.from({ length: random.integer(schema.minItems ?? 0, 3) }, () => sample(schema.items, depth + 1, name)),
    object: record,
  };
  const combined = (schema: Schema, depth: number): { value: unknown } | undefined => {
    if (schema.$ref !== undefined)
      return { value: sample(document.components?.schemas?.[schema.$ref.split("/").pop() ?? ""], depth + 1) };
    const alternatives = schema.oneOf ?? schema.anyOf;
    if (alternatives !== undefined) return { value: sample(random.pick(alternatives), depth + 1) };
    if (schema.allOf !== undefined)
      return { value: Object.assign({}, ...schema.allOf.map((part) => sample(part, depth + 1))) };
    return undefined;
  };
  const sample: Sampler = (schema, depth = 0, name = "") => {
    if (schema === undefined || depth > 5) return null;
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return random.pick(schema.enum);
    const made = combined(schema, depth);
    if (made !== undefined) return made.value;
    const type = Array.isArray(schema.type)
      ? random.pick(schema.type)
      : (schema.type ?? (schema.properties ? "object" : "string"));
    return byType[type]?.(schema, depth, name) ?? null;
  };
  return sample;
}
