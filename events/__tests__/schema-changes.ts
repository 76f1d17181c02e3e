// All changes, each with what the gate has to say of it.
import { z } from "zod";
import { innerChanges } from "./inner-changes";
import { both, json, payload, zod, type SchemaChange } from "./schema-change";

const a = { a: z.string() };
const lost = "was removed: what stored events say there is lost";
const unknown = "may be in stored events, and fields that are not declared are refused now";

const fields: SchemaChange[] = [
  payload("nothing at all", z.object(a), z.object(a)),
  payload("a new optional field", z.object(a), z.object({ ...a, b: z.int().optional() })),
  payload("a new field with a default", z.object(a), z.object({ ...a, b: z.int().default(0) })),
  payload(
    "a new required field",
    z.object(a),
    z.object({ ...a, b: z.int() }),
    "payload.b is required now, and stored events may lack it: let it be as it was, or add a new field that is optional",
  ),
  payload(
    "a required field made optional",
    z.object(a),
    z.object({ a: z.string().optional() }),
    "payload.a may now be absent, which consumers of today require",
  ),
  payload(
    "an optional field made required",
    z.object({ a: z.string().optional() }),
    z.object(a),
    "payload.a is required now, and stored events may lack it",
  ),
  {
    ...payload(
      "a required field that gets a default, so that it is still always written",
      z.object(a),
      z.object({ a: z.string().default("x") }),
    ),
    otherwise: "jsoncompat does not know that `emit` fills defaults in",
  },
  payload(
    "a field with a default made required: what was stored before the default lacks it",
    z.object({ a: z.string().default("x") }),
    z.object(a),
    'payload.a had the default "x"',
    "payload.a is required now, and stored events may lack it",
  ),
  payload(
    "another default",
    z.object({ a: z.string().default("x") }),
    z.object({ a: z.string().default("y") }),
    'payload.a had the default "x": stored events that lack it would mean something else: keep the default',
  ),
  payload(
    "a default taken away",
    z.object({ a: z.string().default("x") }),
    z.object({ a: z.string().optional() }),
    'payload.a had the default "x"',
  ),
  payload(
    "a required field removed",
    z.object({ ...a, b: z.int() }),
    z.object(a),
    `payload.b ${lost}`,
    "payload.b may now be absent, which consumers of today require",
  ),
  payload("an optional field removed", z.object({ ...a, b: z.int().optional() }), z.object(a), `payload.b ${lost}`),
  payload(
    "a field renamed",
    z.object(a),
    z.object({ b: z.string() }),
    `payload.a ${lost}`,
    "payload.b is required now",
    "payload.a may now be absent",
  ),
  payload(
    "a field renamed to an optional one",
    z.object(a),
    z.object({ b: z.string().optional() }),
    `payload.a ${lost}`,
    "payload.a may now be absent",
  ),
  // Every object has them: a look-up that finds the inherited ones sees a field where there is none.
  payload(
    "a new required field that every object inherits",
    z.object(a),
    z.object({ ...a, constructor: z.string() }),
    "payload.constructor is required now",
  ),
  payload(
    "a new optional field that every object inherits",
    z.object(a),
    z.object({ ...a, toString: z.string().optional() }),
  ),
  payload(
    "an inherited name removed",
    z.object({ ...a, valueOf: z.string().optional() }),
    z.object(a),
    `payload.valueOf ${lost}`,
  ),
];

const types: SchemaChange[] = [
  zod("another type", z.string(), z.number(), ...both("payload.a", "a string", "a number")),
  zod(
    "whole numbers made any number",
    z.int(),
    z.number().min(-9007199254740991).max(9007199254740991),
    "payload.a may now be a number that is not whole",
  ),
  zod(
    "any number made whole ones",
    z.number().min(0).max(9),
    z.int().min(0).max(9),
    "payload.a may be a number that is not whole in stored events",
  ),
  zod(
    "null let in",
    z.string(),
    z.string().nullable(),
    "payload.a may now be null, which consumers of today refuse: keep accepting and writing what it was",
  ),
  zod(
    "null shut out",
    z.string().nullable(),
    z.string(),
    "payload.a may be null in stored events, which is refused now",
  ),
  zod("anything narrowed to a string", z.unknown(), z.string(), "payload.a may be anything in stored events"),
  zod("a string widened to anything", z.string(), z.unknown(), "payload.a may now be anything"),
  zod(
    "a switch made three words",
    z.boolean(),
    z.enum(["on", "off"]),
    "payload.a may be a boolean in stored events",
    'payload.a may now be "on" or "off"',
  ),
  json("both values of a switch written out", { type: "boolean" }, { enum: [false, true] }),
  json(
    "several types in another notation",
    { type: ["string", "null"] },
    { anyOf: [{ type: "null" }, { type: "string" }] },
  ),
];

const values: SchemaChange[] = [
  zod(
    "a value more",
    z.enum(["x", "y"]),
    z.enum(["x", "y", "z"]),
    'payload.a may now be "z", which consumers of today refuse',
  ),
  zod("a value less", z.enum(["x", "y"]), z.enum(["x"]), 'payload.a may be "y" in stored events, which is refused now'),
  zod("values in another order", z.enum(["x", "y"]), z.enum(["y", "x"])),
  zod("one value for another", z.literal("x"), z.literal("y"), ...both("payload.a", '"x"', '"y"')),
  zod("a list of values opened to any string", z.enum(["x"]), z.string(), "payload.a may now be a string"),
  zod("any string closed to a list of values", z.string(), z.enum(["x"]), "payload.a may be a string in stored events"),
  json("a list of one value for that value", { enum: ["x"] }, { const: "x", type: "string" }),
  zod(
    "seven values more, of which five are named",
    z.literal(0),
    z.literal([0, 1, 2, 3, 4, 5, 6, 7]),
    "payload.a may now be 1 or 2 or 3 or 4 or 5 (and 2 more)",
  ),
];

const openness: SchemaChange[] = [
  payload(
    "an optional field of a closed object",
    z.strictObject(a),
    z.strictObject({ ...a, b: z.int().optional() }),
    "payload.b is new, and consumers of today refuse fields that they do not know: leave the object as open or closed as it is",
  ),
  payload("an object closed", z.object(a), z.strictObject(a), `payload.* ${unknown}`),
  payload(
    "a closed object opened",
    z.strictObject(a),
    z.object(a),
    "payload.* is new, and consumers of today refuse fields that they do not know",
  ),
  payload(
    "an optional field of an object that kept whatever it was given",
    z.looseObject(a),
    z.looseObject({ ...a, b: z.int().optional() }),
    "payload.b may be anything in stored events, which is refused now",
  ),
  payload("unnamed fields dropped", z.looseObject(a), z.object(a), `payload.* ${lost}`),
];

const prose: SchemaChange[] = [
  zod(
    "descriptions, titles and examples",
    z.string(),
    z.string().meta({ description: "whose", title: "A", examples: ["x"] }),
  ),
  json("keys in another order", { type: "string", format: "uuid" }, { format: "uuid", type: "string" }),
  json(
    "a keyword that the gate does not know",
    { type: "string" },
    { type: "string", if: { minLength: 3 }, then: { pattern: "^a" } },
    "payload.a has rules that cannot be compared, and they changed",
  ),
];

export const schemaChanges: readonly SchemaChange[] = [fields, types, values, innerChanges, openness, prose].flat();
