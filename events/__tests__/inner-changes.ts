// Changes of bounds, and inside of objects, lists and unions.
import { z } from "zod";
import type { JsonSchema } from "../contracts";
import { both, json, zod, type SchemaChange } from "./schema-change";

const a = { a: z.string() };
const circle = z.object({ kind: z.literal("circle"), radius: z.number() });
const square = z.object({ kind: z.literal("square"), side: z.number() });
const oval = z.object({ kind: z.literal("oval"), width: z.number() });

const tree: JsonSchema = {
  type: "object",
  properties: { node: { $ref: "#/$defs/node" } },
  required: ["node"],
  $defs: {
    node: {
      type: "object",
      properties: { n: { type: "integer" }, children: { type: "array", items: { $ref: "#/$defs/node" } } },
      required: ["n"],
    },
  },
};
const treeWith = (node: object): JsonSchema => ({ ...tree, $defs: { node } });

const bounds: SchemaChange[] = [
  zod(
    "a longer string let in",
    z.string().max(10),
    z.string().max(20),
    "payload.a may now be longer than 10 characters",
  ),
  zod(
    "a shorter maximum",
    z.string().max(20),
    z.string().max(10),
    "payload.a may be longer than 10 characters in stored events",
  ),
  zod("a least length", z.string(), z.string().min(1), "payload.a may be shorter than 1 characters in stored events"),
  zod(
    "a wider range",
    z.number().min(0).max(9),
    z.number().min(-1).max(10),
    "payload.a may now be less than 0",
    "payload.a may now be more than 9",
  ),
  zod(
    "a narrower range",
    z.number().min(0).max(9),
    z.number().min(1).max(9),
    "payload.a may be less than 1 in stored events",
  ),
  zod(
    "a bound that is not reached any more",
    z.number().min(0),
    z.number().gt(0),
    "payload.a may be 0 or less in stored events",
  ),
  zod("the same bound of whole numbers in other words", z.int().positive(), z.int().min(1)),
  zod(
    "another step",
    z.int().multipleOf(2),
    z.int().multipleOf(4),
    "payload.a may be other than a multiple of 4 in stored events",
  ),
  zod("a format added", z.string(), z.email(), "payload.a may be of another format than email in stored events"),
  zod("a format taken away", z.uuid(), z.string(), "payload.a may now be of another format than uuid"),
  zod(
    "another format",
    z.iso.datetime(),
    z.iso.date(),
    ...both("payload.a", "of another format than date", "of another format than date-time"),
  ),
  zod(
    "the same format, read more strictly",
    z.uuid(),
    z.uuidv7(),
    "payload.a may be other than what the pattern ^",
    "payload.a may now be other than what the pattern ^",
  ),
  zod(
    "moments with an offset",
    z.iso.datetime(),
    z.iso.datetime({ offset: true }),
    "payload.a may be other than what the pattern ^",
    "payload.a may now be other than what the pattern ^",
  ),
  zod(
    "another pattern",
    z.string().regex(/^a+$/),
    z.string().regex(/^b+$/),
    ...both("payload.a", "other than what the pattern ^b+$ describes", "other than what the pattern ^a+$ describes"),
  ),
  zod(
    "a pattern taken away",
    z.string().regex(/^a+$/),
    z.string(),
    "payload.a may now be other than what the pattern ^a+$ describes",
  ),
];

const inside: SchemaChange[] = [
  zod("a new optional field of an inner object", z.object(a), z.object({ ...a, b: z.int().optional() })),
  zod(
    "a new required field of an inner object",
    z.object(a),
    z.object({ ...a, b: z.int() }),
    "payload.a.b is required now",
  ),
  zod(
    "a field of an item made optional",
    z.array(z.object(a)),
    z.array(z.object({ a: z.string().optional() })),
    "payload.a[].a may now be absent",
  ),
  zod(
    "items of another type",
    z.array(z.string()),
    z.array(z.number()),
    ...both("payload.a[]", "a string", "a number"),
  ),
  zod("a list where there was one", z.string(), z.array(z.string()), ...both("payload.a", "a string", "a list")),
  zod(
    "more items let in",
    z.array(z.string()).max(5),
    z.array(z.string()).max(9),
    "payload.a may now be longer than 5 items",
  ),
  zod(
    "no empty list any more",
    z.array(z.string()),
    z.array(z.string()).nonempty(),
    "payload.a may be shorter than 1 items in stored events",
  ),
  zod(
    "another type at one place",
    z.tuple([z.string(), z.int()]),
    z.tuple([z.string(), z.string()]),
    ...both("payload.a[1]", "a number", "a string"),
  ),
  json(
    "no item twice any more",
    { type: "array", items: { type: "string" } },
    { type: "array", items: { type: "string" }, uniqueItems: true },
    "payload.a may be a list with the same item twice in stored events",
  ),
  zod(
    "values of a map narrowed",
    z.record(z.string(), z.string()),
    z.record(z.string(), z.string().max(3)),
    "payload.a.* may be longer than 3 characters in stored events",
  ),
  zod(
    "names of a map narrowed",
    z.record(z.string(), z.int()),
    z.record(z.string().max(3), z.int()),
    "payload.a.* (its name) may be longer than 3 characters in stored events",
  ),
  {
    what: "an optional field of what refers to itself",
    from: tree,
    to: treeWith({
      ...(tree.$defs as { node: object }).node,
      properties: {
        n: { type: "integer" },
        children: { type: "array", items: { $ref: "#/$defs/node" } },
        b: { type: "string" },
      },
    }),
    reasons: [],
  },
  {
    what: "another type in what refers to itself",
    from: tree,
    to: treeWith({
      type: "object",
      properties: { n: { type: "string" }, children: { type: "array", items: { $ref: "#/$defs/node" } } },
      required: ["n"],
    }),
    reasons: [
      ...["payload.node.n", "payload.node.children[].n"].map((path) => `${path} may be a number in stored events`),
      ...["payload.node.n", "payload.node.children[].n"].map((path) => `${path} may now be a string`),
    ],
  },
];

const unions: SchemaChange[] = [
  zod(
    "an alternative more",
    z.union([z.string(), z.int()]),
    z.union([z.string(), z.int(), z.boolean()]),
    "payload.a may now be a boolean",
  ),
  zod("an alternative less", z.union([z.string(), z.int()]), z.string(), "payload.a may be a number in stored events"),
  zod("alternatives in another order", z.union([z.string(), z.int()]), z.union([z.int(), z.string()])),
  zod(
    "a shape more",
    z.discriminatedUnion("kind", [circle, square]),
    z.discriminatedUnion("kind", [circle, square, oval]),
    'payload.a may now be an object with kind "oval"',
  ),
  zod(
    "a shape less",
    z.discriminatedUnion("kind", [circle, square]),
    z.discriminatedUnion("kind", [circle]),
    'payload.a may be an object with kind "square" in stored events, which is refused now',
  ),
  zod(
    "an optional field of a shape",
    z.discriminatedUnion("kind", [circle, square]),
    z.discriminatedUnion("kind", [circle.extend({ color: z.string().optional() }), square]),
  ),
  zod(
    "a field of a shape of another type",
    z.discriminatedUnion("kind", [circle, square]),
    z.discriminatedUnion("kind", [circle.extend({ radius: z.string() }), square]),
    ...both("payload.a.radius", "a number", "a string"),
  ),
  json(
    "an intersection, changed",
    { allOf: [{ type: "string" }, { minLength: 1 }] },
    { allOf: [{ type: "string" }, { minLength: 2 }] },
    "payload.a has rules that cannot be compared, and they changed: write it as it was",
  ),
  json(
    "an intersection in another order of keys",
    { allOf: [{ type: "string", minLength: 1 }] },
    { allOf: [{ minLength: 1, type: "string" }] },
  ),
];

export const innerChanges: readonly SchemaChange[] = [bounds, inside, unions].flat();
