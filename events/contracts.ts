// The contracts of events: one JSON Schema for each type and version, committed in events/contracts/. An
// event once published is in outboxes, queues and other people's code, so a version may only grow by optional
// fields; anything else is a new version.
import { z } from "zod";
import type { EventDefinition } from "./event";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** The contract of a definition, as committed: JSON Schema 2020-12 of the payload. */
export function contractOf(definition: EventDefinition): JsonSchema {
  const schema = z.toJSONSchema(definition.payload, { target: "draft-2020-12", io: "input" }) as JsonSchema;
  return { ...schema, $id: contractFileName(definition), title: definition.key };
}

/** "auth.user.registered@1" → "auth.user.registered.v1.json". */
export function contractFileName(definition: Pick<EventDefinition, "type" | "version">): string {
  return `${definition.type}.v${definition.version}.json`;
}

/**
 * What in `next` breaks those who know `previous`, as sentences; empty when nothing does. Old payloads must
 * fit the new schema and new ones the old: fields stay as they are, new ones are optional.
 */
export function breakingChanges(previous: JsonSchema, next: JsonSchema, path = "payload"): string[] {
  const known = propertiesOf(previous);
  const offered = propertiesOf(next);
  if (!known || !offered) return canonical(previous) === canonical(next) ? [] : [`${path} changed its type or rules`];
  const required = new Set(requiredOf(next));
  const wasRequired = new Set(requiredOf(previous));
  const found: string[] = [];
  for (const [name, schema] of Object.entries(known)) {
    const field = `${path}.${name}`;
    const replacement = Object.hasOwn(offered, name) ? offered[name] : undefined;
    if (replacement === undefined) {
      found.push(`${field} was removed`);
      continue;
    }
    if (wasRequired.has(name) !== required.has(name))
      found.push(`${field} became ${required.has(name) ? "required" : "optional"}`);
    found.push(...breakingChanges(schema, replacement, field));
  }
  for (const name of Object.keys(offered)) {
    if (!Object.hasOwn(known, name) && required.has(name)) found.push(`${path}.${name} was added but is not optional`);
  }
  return found;
}

function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> | undefined {
  return schema.type === "object" && typeof schema.properties === "object"
    ? (schema.properties as Record<string, JsonSchema>)
    : undefined;
}

function requiredOf(schema: JsonSchema): readonly string[] {
  return Array.isArray(schema.required) ? (schema.required as string[]) : [];
}

/** Equal for schemas that differ in nothing but key order, prose, and the pattern that spells a format out. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (key === "description" || key === "title" || key === "examples" || key === "$id") return undefined;
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    const entries = Object.entries(inner).filter(([name]) => !(name === "pattern" && "format" in inner));
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
