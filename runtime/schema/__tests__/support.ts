// Short ways to schemas and codecs for tests.
import type { Field, Schema, Validation } from "../../model";
import { JsonDecoderCompiler } from "../json-decoder";
import { JsonReader } from "../json-reader";
import { ShapeResolver } from "../shape";

export const str: Schema = { kind: "builtin", name: "string" };
export const num: Schema = { kind: "builtin", name: "float64" };
export const bool: Schema = { kind: "builtin", name: "bool" };
export const any: Schema = { kind: "builtin", name: "any" };
export const time: Schema = { kind: "builtin", name: "time" };
export const decimal: Schema = { kind: "builtin", name: "decimal" };
export const nothing: Schema = { kind: "literal", value: null };
export const lit = (value: string | number | boolean): Schema => ({ kind: "literal", value });
export const list = (elem: Schema): Schema => ({ kind: "list", elem });
export const map = (value: Schema): Schema => ({ kind: "map", key: str, value });
export const union = (...types: Schema[]): Schema => ({ kind: "union", types });
export const checked = (schema: Schema, validation: Validation): Schema => ({ ...schema, validation });

/** `name?` is an optional field. */
export function struct(fields: Record<string, Schema>): Schema {
  const all: Field[] = Object.entries(fields).map(([key, type]) => ({
    name: key.replace(/\?$/, ""),
    type,
    optional: key.endsWith("?"),
  }));
  return { kind: "struct", fields: all };
}

class FakeDecimal {
  readonly __encore_decimal = true;
  constructor(readonly value: string) {}
}

export const newDecimal = (text: string): unknown => new FakeDecimal(text);

/** A decoder of JSON texts of the schema. */
export function decoder(schema: Schema, decls = {}): (text: string | Buffer) => unknown {
  const shape = new ShapeResolver(decls).resolve(schema);
  const decode = new JsonDecoderCompiler(newDecimal).compile(shape);
  return (text) => decode(typeof text === "string" ? new JsonReader(text) : JsonReader.of(text));
}

/** The message of what `run` throws. */
export function problem(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "nothing was thrown";
}
