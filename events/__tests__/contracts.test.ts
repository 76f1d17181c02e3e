import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { catalog } from "../catalog";
import { breakingChanges, contractFileName, contractOf, type JsonSchema } from "../contracts";
import { defineEvent } from "../event";

const folder = join(__dirname, "..", "contracts");
const committed = (file: string): JsonSchema => JSON.parse(readFileSync(join(folder, file), "utf8")) as JsonSchema;
const contract = (payload: z.ZodType): JsonSchema => contractOf(defineEvent({ type: "a.b.c", version: 1, payload }));
const base = z.object({
  id: z.uuid(),
  kind: z.enum(["a", "b"]),
  inner: z.object({ n: z.int() }),
  note: z.string().optional(),
});

describe("every event in the catalogue", () => {
  it.each([...catalog.values()].map((definition) => [definition.key, definition] as const))(
    "%s fits its committed contract (else: npm run gen, or a new version)",
    (_key, definition) => {
      const file = contractFileName(definition);
      expect(readdirSync(folder)).toContain(file);
      expect(breakingChanges(committed(file), contractOf(definition))).toEqual([]);
      expect(contractOf(definition)).toEqual(committed(file));
    },
  );

  it("is the only thing that has a contract: a published event's contract is never removed", () => {
    expect(readdirSync(folder).sort()).toEqual([...catalog.values()].map(contractFileName).sort());
  });
});

describe("the contract gate", () => {
  it("lets optional fields and prose be added, also inside", () => {
    const grown = base.extend({
      extra: z.string().optional(),
      inner: z.object({ n: z.int(), m: z.int().optional() }),
      id: z.uuid().describe("whose"),
    });
    expect(breakingChanges(contract(base), contract(grown))).toEqual([]);
  });

  it.each([
    ["a removed field", base.omit({ kind: true }), "payload.kind was removed"],
    [
      "a renamed field",
      base.omit({ kind: true }).extend({ sort: z.enum(["a", "b"]).optional() }),
      "payload.kind was removed",
    ],
    ["a new required field", base.extend({ extra: z.string() }), "payload.extra was added but is not optional"],
    ["an optional field made required", base.extend({ note: z.string() }), "payload.note became required"],
    [
      "a required field made optional",
      base.extend({ kind: z.enum(["a", "b"]).optional() }),
      "payload.kind became optional",
    ],
    ["another type", base.extend({ inner: z.object({ n: z.string() }) }), "payload.inner.n changed its type or rules"],
    ["a narrower type", base.extend({ kind: z.enum(["a"]) }), "payload.kind changed its type or rules"],
    ["a wider type", base.extend({ kind: z.enum(["a", "b", "c"]) }), "payload.kind changed its type or rules"],
  ])("refuses %s", (_what, changed, complaint) => {
    expect(breakingChanges(contract(base), contract(changed))).toContain(complaint);
  });

  // Every object has them: a look-up that finds the inherited ones sees a field where there is none.
  it.each(["constructor", "toString", "valueOf"])("takes a field called %s for a field like any other", (name) => {
    const required = contract(base.extend({ [name]: z.string() }));
    const optional = contract(base.extend({ [name]: z.string().optional() }));
    expect(breakingChanges(contract(base), required)).toEqual([`payload.${name} was added but is not optional`]);
    expect(breakingChanges(contract(base), optional)).toEqual([]);
    expect(breakingChanges(optional, contract(base))).toEqual([`payload.${name} was removed`]);
  });

  it("says each change once, of every level, and nothing of key order, prose or the pattern of a format", () => {
    const changed = base.omit({ kind: true }).extend({ inner: z.object({ m: z.string() }), note: z.string() });
    expect(breakingChanges(contract(base), contract(changed))).toEqual([
      "payload.kind was removed",
      "payload.inner.n was removed",
      "payload.inner.m was added but is not optional",
      "payload.note became required",
    ]);
    const field = (schema: object): JsonSchema => ({ type: "object", properties: { a: schema }, required: ["a"] });
    const plain = field({ type: "string", format: "uuid" });
    for (const same of [
      { format: "uuid", type: "string" },
      { type: "string", format: "uuid", description: "x", title: "y", examples: ["z"], $id: "w" },
      { type: "string", format: "uuid", pattern: "^x$" },
    ])
      expect(breakingChanges(plain, field(same))).toEqual([]);
    for (const other of [
      { type: "string", format: "email" },
      { type: "string", pattern: "^x$" },
      { type: "string", format: "uuid", minLength: 1 },
      { type: "object" },
      { anyOf: [{ type: "string" }, { type: "null" }] },
    ])
      expect(breakingChanges(plain, field(other))).toEqual(["payload.a changed its type or rules"]);
    expect(breakingChanges(field({ enum: ["a", "b"] }), field({ enum: ["b", "a"] }))).toHaveLength(1);
  });
});

describe("defineEvent", () => {
  it.each(["user.registered", "Auth.user.registered", "auth.user.registered.now", ""])(
    "refuses the type %j",
    (type) => {
      expect(() => defineEvent({ type, version: 1, payload: z.object({}) })).toThrow("service.noun.verb");
    },
  );

  it.each([0, 1.5, -1])("refuses version %d", (version) => {
    expect(() => defineEvent({ type: "a.b.c", version, payload: z.object({}) })).toThrow("positive integer");
  });
});
