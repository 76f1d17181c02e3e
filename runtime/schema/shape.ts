// A schema of the model with its names and type arguments resolved: what the decoders are compiled from.
import type { AppModel, BuiltinName, Field, Schema, Validation, Wire } from "../model";
import { debugString, debugFloat } from "./rust-text";
import { compileCheck, type Check } from "./validation";

export interface ShapeField {
  name: string;
  shape: Shape;
  optional: boolean;
  wire?: Wire;
}

export type Shape =
  | { kind: "any" | "null" | "bool" | "number" | "string" | "time" | "decimal" }
  | { kind: "literal"; value: string | number | boolean }
  | { kind: "struct"; fields: ShapeField[] }
  | { kind: "map"; value: Shape }
  | { kind: "list"; elem: Shape }
  | { kind: "union"; of: Shape[] }
  | { kind: "option"; value: Shape }
  | { kind: "checked"; inner: Shape; check: Check }
  /** A type inside itself; `target` is set once the type is resolved. */
  | { kind: "ref"; target?: Shape };

export type Struct = Extract<Shape, { kind: "struct" }>;

const BUILTINS: Record<BuiltinName, "any" | "bool" | "number" | "string" | "time" | "decimal"> = {
  string: "string",
  user_id: "string",
  float64: "number",
  int: "number",
  bool: "bool",
  decimal: "decimal",
  time: "time",
  any: "any",
  json: "any",
};

type Args = readonly Shape[];

/** Resolves the schemas of one model; named types are resolved once for each set of type arguments. */
export class ShapeResolver {
  private readonly named = new Map<string, Shape>();
  private readonly ids = new Map<Shape, number>();

  constructor(private readonly decls: AppModel["decls"]) {}

  resolve(schema: Schema, args: Args = []): Shape {
    const shape = this.plain(schema, args);
    return schema.validation ? checked(shape, schema.validation) : shape;
  }

  /** Resolves a schema that has to be an object; null when it is something else. */
  struct(schema: Schema): Struct | null {
    let shape = this.resolve(schema);
    while (shape.kind === "ref" && shape.target) shape = shape.target;
    return shape.kind === "struct" ? shape : null;
  }

  private plain(schema: Schema, args: Args): Shape {
    switch (schema.kind) {
      case "builtin":
        return { kind: BUILTINS[schema.name] };
      case "literal":
        return schema.value === null ? { kind: "null" } : { kind: "literal", value: schema.value };
      case "struct":
        return { kind: "struct", fields: schema.fields.map((f) => this.field(f, args)) };
      case "map":
        return { kind: "map", value: this.resolve(schema.value, args) };
      case "list":
        return { kind: "list", elem: this.resolve(schema.elem, args) };
      case "union":
        return { kind: "union", of: schema.types.map((t) => this.resolve(t, args)) };
      case "option":
        return { kind: "option", value: this.resolve(schema.value, args) };
      case "named":
        return this.reference(
          schema.id,
          (schema.args ?? []).map((a) => this.resolve(a, args)),
        );
      case "typeParameter":
        return this.parameter(schema.index, args);
    }
  }

  private parameter(index: number, args: Args): Shape {
    const shape = args[index];
    if (!shape) throw new Error(`type parameter ${index} has no argument`);
    return shape;
  }

  private field(field: Field, args: Args): ShapeField {
    const shape = this.resolve(field.type, args);
    const { name, wire } = field;
    const bare = shape.kind === "option" ? shape.value : shape;
    return { name, shape: bare, optional: field.optional || shape.kind === "option", ...(wire && { wire }) };
  }

  private reference(id: string, args: Args): Shape {
    const key = `${id}<${args.map((a) => this.idOf(a)).join()}>`;
    const known = this.named.get(key);
    if (known) return known.kind === "ref" && known.target ? known.target : known;
    const decl = this.decls[id];
    if (!decl) throw new Error(`the model has no type ${id}`);
    const ref: Shape = { kind: "ref" };
    this.named.set(key, ref);
    ref.target = this.resolve(decl.type, args);
    return ref.target;
  }

  private idOf(shape: Shape): string {
    if (shape.kind !== "struct" && Object.keys(shape).length === 1) return shape.kind;
    let id = this.ids.get(shape);
    if (id === undefined) this.ids.set(shape, (id = this.ids.size));
    return String(id);
  }
}

function checked(inner: Shape, validation: Validation): Shape {
  if (inner.kind === "option") return { kind: "option", value: checked(inner.value, validation) };
  return { kind: "checked", inner, check: compileCheck(validation) };
}

const EXPECTED = {
  any: "any valid JSON value",
  null: "null",
  bool: "a boolean",
  number: "a number",
  string: "a string",
  time: "a datetime string",
  decimal: "a decimal",
  struct: "a JSON object",
  list: "a JSON array",
} as const;

function literalText(value: string | number | boolean): string {
  if (typeof value === "string") return debugString(value);
  return typeof value === "number" && !Number.isInteger(value) ? debugFloat(value) : String(value);
}

/** What a message says was expected. Inside unions and rules a map is called a map, elsewhere an object. */
export function expecting(shape: Shape, inner = false): string {
  switch (shape.kind) {
    case "literal":
      return literalText(shape.value);
    case "map":
      return inner ? "a JSON map" : "a JSON object";
    case "union":
      return oneOf(shape.of.map((s) => expecting(s, true)));
    case "option":
      return inner ? expecting(shape.value, true) : "any valid JSON value or null";
    case "checked":
      return expecting(shape.inner, true);
    case "ref":
      return shape.target ? expecting(shape.target, inner) : "a JSON value";
    default:
      return EXPECTED[shape.kind];
  }
}

function oneOf(names: string[]): string {
  if (names.length < 3) return names.join(" or ");
  return `${names.slice(0, -1).join(", ")}, or ${names.at(-1)}`;
}
