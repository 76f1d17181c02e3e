import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { catalog } from "../catalog";
import { refusals } from "../contract-gate/gate";
import { contractFileName, contractOf, type JsonSchema } from "../contracts";
import { defineEvent, upcastFrom } from "../event";

const folder = join(__dirname, "..", "contracts");
const committed = (file: string): JsonSchema => JSON.parse(readFileSync(join(folder, file), "utf8")) as JsonSchema;
describe("every event in the catalogue", () => {
  it.each([...catalog.values()].map((definition) => [definition.key, definition] as const))(
    "%s fits its committed contract (else: npm run gen, or a new version)",
    (_key, definition) => {
      const file = contractFileName(definition);
      expect(readdirSync(folder)).toContain(file);
      expect(contractOf(definition)).toEqual(committed(file));
    },
  );

  it("passes the gate", () => {
    const contracts = new Map(readdirSync(folder).map((file) => [String(committed(file).title), committed(file)]));
    expect(refusals({ committed: contracts, catalog, today: new Date().toISOString().slice(0, 10) })).toEqual([]);
  });

  it("is the only thing that has a contract: a published event's contract is never removed", () => {
    expect(readdirSync(folder).sort()).toEqual([...catalog.values()].map(contractFileName).sort());
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

  it("refuses an upcaster of any version but the one before, or of another event", () => {
    const payload = z.object({ n: z.int() });
    const first = defineEvent({ type: "a.b.c", version: 1, payload });
    const upcast = upcastFrom(first, (older) => older);
    expect(defineEvent({ type: "a.b.c", version: 2, payload, upcast }).upcast?.apply({ n: 1 })).toEqual({ n: 1 });
    expect(() => defineEvent({ type: "a.b.c", version: 3, payload, upcast })).toThrow("reads a.b.c@1, not a.b.c@2");
    expect(() => defineEvent({ type: "a.b.d", version: 2, payload, upcast })).toThrow("reads a.b.c@1, not a.b.d@1");
  });
});
