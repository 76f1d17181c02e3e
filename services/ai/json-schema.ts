// The part of JSON Schema that answers can be asked for in, and whether one fits. Given by callers, so nothing of it is
// compiled, no pattern is run, and all of it is bounded.
import { z } from "zod";
import { isBounded } from "../../security/bounded-json";

const KINDS = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
type Kind = (typeof KINDS)[number];

export interface AnswerSchema {
  type: Kind | Kind[];
  description?: string | undefined;
  enum?: (string | number | boolean | null)[] | undefined;
  properties?: Record<string, AnswerSchema> | undefined;
  required?: string[] | undefined;
  items?: AnswerSchema | undefined;
  additionalProperties?: boolean | undefined;
  minimum?: number | undefined;
  maximum?: number | undefined;
  minLength?: number | undefined;
  maxLength?: number | undefined;
  minItems?: number | undefined;
  maxItems?: number | undefined;
}

const DEPTH_MAX = 8;
const BYTES_MAX = 16_384;
const NODES_MAX = 200;

const count = z.int().min(0);
const kind = z.enum(KINDS, "is no type of JSON");

const node: z.ZodType<AnswerSchema> = z.lazy(() =>
  z.strictObject({
    type: z.union([kind, z.array(kind).min(1).max(KINDS.length)], "is no type of JSON"),
    description: z.string().max(1_000).optional(),
    enum: z
      .array(z.union([z.string().max(200), z.number(), z.boolean(), z.null()]))
      .min(1)
      .max(100)
      .optional(),
    properties: z.record(z.string().min(1).max(64), node).optional(),
    required: z.array(z.string().max(64)).max(100).optional(),
    items: node.optional(),
    additionalProperties: z.boolean().optional(),
    ...{ minimum: z.number().optional(), maximum: z.number().optional() },
    ...{ minLength: count.optional(), maxLength: count.optional() },
    ...{ minItems: count.optional(), maxItems: count.optional() },
  }),
);

/** Before anything looks into it. A schema's level is its object and the one of its properties. */
const isSmall = (value: unknown): boolean =>
  value !== undefined && isBounded(value, 2 * DEPTH_MAX, NODES_MAX * 10) && JSON.stringify(value).length <= BYTES_MAX;

export const answerSchema = z
  .unknown()
  // What is behind would go into it: it is not asked (`abort`).
  .refine(isSmall, { error: `is deeper than ${DEPTH_MAX} levels or larger than ${BYTES_MAX} bytes`, abort: true })
  .refine((value) => !JSON.stringify(value).includes('"__proto__"'), {
    error: "has the name __proto__, which is kept for JavaScript",
    abort: true,
  })
  .pipe(node);

function kindsOf(value: unknown): readonly Kind[] {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  switch (typeof value) {
    case "number":
      return Number.isInteger(value) ? ["integer", "number"] : ["number"];
    case "string":
    case "boolean":
    case "object":
      return [typeof value as Kind];
    default:
      return [];
  }
}

const isBelow = (value: number, least: number | undefined): boolean => least !== undefined && value < least;
const isAbove = (value: number, most: number | undefined): boolean => most !== undefined && value > most;

function isObjectOf(value: Record<string, unknown>, schema: AnswerSchema): boolean {
  const { properties = {}, required = [], additionalProperties = true } = schema;
  if (required.some((name) => !Object.hasOwn(value, name))) return false;
  return Object.entries(value).every(([name, inner]) => {
    const wanted = Object.hasOwn(properties, name) ? properties[name] : undefined;
    return wanted === undefined ? additionalProperties : fits(inner, wanted);
  });
}

function isArrayOf(value: readonly unknown[], { items, minItems, maxItems }: AnswerSchema): boolean {
  if (isBelow(value.length, minItems) || isAbove(value.length, maxItems)) return false;
  return items === undefined || value.every((inner) => fits(inner, items));
}

/** Whether a value is of the schema. As deep as the schema, at most. */
export function fits(value: unknown, schema: AnswerSchema): boolean {
  const wanted = Array.isArray(schema.type) ? schema.type : [schema.type];
  if (!kindsOf(value).some((one) => wanted.includes(one))) return false;
  if (schema.enum !== undefined && !schema.enum.some((one) => one === value)) return false;
  if (typeof value === "number") return !isBelow(value, schema.minimum) && !isAbove(value, schema.maximum);
  if (typeof value === "string")
    return !isBelow(value.length, schema.minLength) && !isAbove(value.length, schema.maxLength);
  if (Array.isArray(value)) return isArrayOf(value, schema);
  return typeof value !== "object" || value === null || isObjectOf(value as Record<string, unknown>, schema);
}

const FENCE = "```";

/** JSON in a model's answer, with or without a fence around it; undefined for what is none. */
export function parseAnswer(text: string): unknown {
  let json = text.trim();
  if (json.startsWith(FENCE) && json.endsWith(FENCE))
    json = json.slice(json.indexOf("\n") + 1, json.length - FENCE.length);
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}
