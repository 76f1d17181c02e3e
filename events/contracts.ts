// The contracts of events: one JSON Schema for each type and version, committed in events/contracts/. What may become of
// a committed one is decided in contract-gate/.
import { z } from "zod";
import type { EventDefinition } from "./event";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Annotations of ours in a contract: the version that the upcaster reads, and the notice that this one ends. */
export const UPCAST_FROM = "x-upcast-from";
export const DEPRECATION = "x-deprecation";

/** The contract of a definition, as committed: JSON Schema 2020-12 of the payload. */
export function contractOf(definition: EventDefinition): JsonSchema {
  const schema = z.toJSONSchema(definition.payload, { target: "draft-2020-12", io: "input" }) as JsonSchema;
  const { deprecated, upcast } = definition;
  return {
    ...schema,
    $id: contractFileName(definition),
    title: definition.key,
    ...(upcast && { [UPCAST_FROM]: upcast.from.key }),
    ...(deprecated && { deprecated: true, [DEPRECATION]: deprecated }),
  };
}

/** "auth.user.registered@1" → "auth.user.registered.v1.json". */
export function contractFileName(definition: Pick<EventDefinition, "type" | "version">): string {
  return `${definition.type}.v${definition.version}.json`;
}
