// What a schema takes that names somebody else's things: for suites that try every event and every job.
import { z } from "zod";

/** By the names that payloads give them; what a payload gives another name may be any of them. */
export type Named = Readonly<Record<string, string>>;

interface Shape {
  type?: string | string[];
  format?: string;
  minLength?: number;
  maxLength?: number;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Shape>;
  items?: Shape;
  anyOf?: Shape[];
  oneOf?: Shape[];
}

const UUID = /^[0-9a-f-]{36}$/;
const PLAIN: Record<string, unknown> = { integer: 1, number: 1, boolean: true, null: null };

/** All payloads of the schema that name `named` wherever they can, one for each alternative. */
export const payloadsNaming = (schema: z.ZodType, named: Named): unknown[] =>
  payloads(z.toJSONSchema(schema, { io: "input" }) as Shape, named, "");

function payloads(shape: Shape, named: Named, name: string): unknown[] {
  const alternatives = shape.oneOf ?? shape.anyOf;
  if (alternatives !== undefined) return alternatives.flatMap((one) => payloads(one, named, name));
  if (shape.const !== undefined) return [shape.const];
  if (shape.enum !== undefined) return shape.enum;
  const type = Array.isArray(shape.type) ? shape.type[0] : shape.type;
  if (type === "object")
    return Object.entries(shape.properties ?? {}).reduce<object[]>(
      (made, [key, property]) =>
        payloads(property, named, key).flatMap((value) => made.map((rest) => ({ ...rest, [key]: value }))),
      [{}],
    );
  if (type === "array") return payloads(shape.items ?? {}, named, name).map((value) => [value]);
  return type === "string" ? texts(shape, named, name) : [PLAIN[type ?? ""]];
}

function texts({ format, minLength = 0, maxLength }: Shape, named: Named, name: string): string[] {
  const own = named[name];
  if (format === "uuid") return own === undefined ? Object.values(named).filter((id) => UUID.test(id)) : [own];
  if (format === "date-time") return ["2026-01-01T00:00:00Z"];
  return [own ?? "document.read".padEnd(minLength, "0").slice(0, maxLength)];
}
