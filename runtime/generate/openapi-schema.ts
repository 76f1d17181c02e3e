// Schemas of the model as JSON Schema (OpenAPI 3.1), validation as keywords.
import type { AppModel, BuiltinName, Decl, Field, Schema, Validation } from "../model";

export type JsonSchema = { [keyword: string]: unknown };

const BUILTINS: Record<BuiltinName, JsonSchema> = {
  string: { type: "string" },
  float64: { type: "number" },
  int: { type: "integer" },
  bool: { type: "boolean" },
  decimal: { type: "string", format: "decimal" },
  time: { type: "string", format: "date-time" },
  user_id: { type: "string" },
  any: {},
  json: {},
};

const escapeRegexp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

function keywords(validation: Validation, isList: boolean): JsonSchema {
  if ("op" in validation)
    return { [validation.op === "and" ? "allOf" : "anyOf"]: validation.of.map((part) => keywords(part, isList)) };
  switch (validation.rule) {
    case "minLen":
      return { [isList ? "minItems" : "minLength"]: validation.value };
    case "maxLen":
      return { [isList ? "maxItems" : "maxLength"]: validation.value };
    case "minValue":
      return { minimum: validation.value };
    case "maxValue":
      return { maximum: validation.value };
    case "startsWith":
      return { pattern: `^${escapeRegexp(validation.value)}` };
    case "endsWith":
      return { pattern: `${escapeRegexp(validation.value)}$` };
    case "matchesRegexp":
      return { pattern: validation.value };
    case "is":
      return { format: validation.value === "email" ? "email" : "uri" };
  }
}

/** Rules side by side where they do not use the same keyword, which reads better than `allOf`. */
function withValidation(schema: JsonSchema, validation: Validation | undefined): JsonSchema {
  if (!validation) return schema;
  const isList = schema.type === "array";
  const parts = "op" in validation && validation.op === "and" ? validation.of : [validation];
  const result = { ...schema };
  const rest: JsonSchema[] = [];
  for (const part of parts) {
    const added = keywords(part, isList);
    if (Object.keys(added).some((key) => key in result)) rest.push(added);
    else Object.assign(result, added);
  }
  return rest.length ? { ...result, allOf: [...((result.allOf as JsonSchema[] | undefined) ?? []), ...rest] } : result;
}

const isLiteral = (schema: Schema): schema is Extract<Schema, { kind: "literal" }> => schema.kind === "literal";

export class JsonSchemas {
  /** What ends up in `components.schemas`. */
  readonly components: Record<string, JsonSchema> = {};
  readonly #names = new Map<string, string>();

  constructor(readonly model: AppModel) {}

  of(schema: Schema, args: readonly Schema[] = []): JsonSchema {
    return withValidation(this.#plain(schema, args), schema.validation);
  }

  /** An object schema of fields; `wire` places are the caller's business. */
  object(fields: readonly Field[], args: readonly Schema[] = []): JsonSchema {
    const required = fields.filter((field) => !field.optional).map((field) => field.name);
    const properties = Object.fromEntries(fields.map((field) => [field.name, this.field(field, args)]));
    return { type: "object", properties, ...(required.length && { required }) };
  }

  field({ type, doc }: Field, args: readonly Schema[] = []): JsonSchema {
    const schema = this.of(type, args);
    return doc === undefined ? schema : { ...schema, description: doc };
  }

  #plain(schema: Schema, args: readonly Schema[]): JsonSchema {
    switch (schema.kind) {
      case "builtin":
        return { ...BUILTINS[schema.name] };
      case "literal":
        return schema.value === null ? { type: "null" } : { const: schema.value };
      case "struct":
        return this.object(schema.fields, args);
      case "map":
        return { type: "object", additionalProperties: this.of(schema.value, args) };
      case "list":
        return { type: "array", items: this.of(schema.elem, args) };
      case "union":
        return this.#union(schema.types, args);
      case "option":
        return { anyOf: [this.of(schema.value, args), { type: "null" }] };
      case "named":
        return this.#reference(schema, args);
      case "typeParameter": {
        const bound = args[schema.index];
        return bound ? this.of(bound) : {};
      }
    }
  }

  #union(types: Schema[], args: readonly Schema[]): JsonSchema {
    if (types.length > 1 && types.every(isLiteral)) {
      const kinds = new Set(types.map(({ value }) => (value === null ? "null" : typeof value)));
      const [only] = kinds;
      return { ...(kinds.size === 1 && only && { type: only }), enum: types.map(({ value }) => value) };
    }
    return { anyOf: types.map((type) => this.of(type, args)) };
  }

  #reference(schema: Extract<Schema, { kind: "named" }>, args: readonly Schema[]): JsonSchema {
    const decl = this.model.decls[schema.id];
    if (!decl) return {};
    if (schema.args?.length)
      return this.of(
        decl.type,
        schema.args.map((arg) => (arg.kind === "typeParameter" ? (args[arg.index] ?? arg) : arg)),
      );
    return { $ref: `#/components/schemas/${this.#component(decl)}` };
  }

  #component(decl: Decl): string {
    const known = this.#names.get(decl.id);
    if (known !== undefined) return known;
    const folder = decl.place.file.split("/").at(-2) ?? "";
    const taken = new Set(this.#names.values());
    const candidates = [decl.name, `${folder}_${decl.name}`.replaceAll(/[^A-Za-z0-9_.-]/g, "_")];
    let name = candidates.find((candidate) => !taken.has(candidate)) ?? decl.name;
    for (let i = 2; taken.has(name); i++) name = `${decl.name}_${i}`;
    this.#names.set(decl.id, name);
    this.components[name] = {};
    const body = this.of(decl.type);
    this.components[name] = decl.doc === undefined ? body : { ...body, description: decl.doc };
    return name;
  }
}
