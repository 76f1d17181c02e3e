// Changes of a contract, each with what the gate has to say of it: nothing, or the reasons. As zod writes them where it
// can, as JSON Schema where it cannot. Each reason is the beginning of a sentence: path, what breaks and for whom.
import { z } from "zod";
import { contractOf, type JsonSchema } from "../contracts";
import { defineEvent } from "../event";

export interface SchemaChange {
  what: string;
  from: JsonSchema;
  to: JsonSchema;
  /** None: allowed. */
  reasons: string[];
  /** Why another checker may say otherwise. */
  otherwise?: string;
}

const contract = (payload: z.ZodType): JsonSchema => contractOf(defineEvent({ type: "a.b.c", version: 1, payload }));
export const field = (schema: object): JsonSchema => ({ type: "object", properties: { a: schema }, required: ["a"] });

/** A change of the payload. */
export const payload = (what: string, from: z.ZodType, to: z.ZodType, ...reasons: string[]): SchemaChange => ({
  what,
  from: contract(from),
  to: contract(to),
  reasons,
});
/** A change of one required field, `a`. */
export const zod = (what: string, from: z.ZodType, to: z.ZodType, ...reasons: string[]): SchemaChange =>
  payload(what, z.object({ a: from }), z.object({ a: to }), ...reasons);
export const json = (what: string, from: object, to: object, ...reasons: string[]): SchemaChange => ({
  what,
  from: field(from),
  to: field(to),
  reasons,
});
export const both = (path: string, was: string, is: string): string[] => [
  `${path} may be ${was} in stored events, which is refused now`,
  `${path} may now be ${is}, which consumers of today refuse`,
];
