// The catalogue as an AsyncAPI 3 document (docs/asyncapi.json): what the topic `domain-events` carries. The schemas are those of the
// contracts in the dialect that AsyncAPI has by itself (draft 7).
import { z } from "zod";
import { toCloudEvent } from "./cloud-event";
import { samplesOf } from "./contract-gate/samples";
import { contractOf, type JsonSchema } from "./contracts";
import type { EventDefinition } from "./event";
import type { DomainEvent } from "./topic";

/** "auth.user.registered@1" → "auth.user.registered.v1": keys of AsyncAPI have no @. */
export const messageName = ({ type, version }: Pick<EventDefinition, "type" | "version">): string =>
  `${type}.v${version}`;

const text = { type: "string" };

export function asyncApiOf(definitions: readonly EventDefinition[]): JsonSchema {
  const sorted = [...definitions].sort((a, b) => (messageName(a) < messageName(b) ? -1 : 1));
  const references = sorted.map((each) => [messageName(each), { $ref: `#/components/messages/${messageName(each)}` }]);
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Groundwork domain events",
      version: "1.0.0",
      description: "Every event of the app, by type and version. Delivered at least once, in order for one aggregate.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    channels: {
      "domain-events": {
        address: "domain-events",
        description: "The one topic of domain events; the subscription of a consumer gets what it has a handler for.",
        messages: Object.fromEntries(references) as JsonSchema,
      },
    },
    operations: {
      emit: { action: "send", channel: { $ref: "#/channels/domain-events" } },
      consume: { action: "receive", channel: { $ref: "#/channels/domain-events" } },
    },
    components: { messages: Object.fromEntries(sorted.map((each) => [messageName(each), messageOf(each)])) },
  };
}

function messageOf(definition: EventDefinition): JsonSchema {
  const { type, version, key, deprecated } = definition;
  const ends = deprecated && `Deprecated since ${deprecated.since}, emitted until ${deprecated.until}.`;
  const next = deprecated?.successor && ` Followed by ${deprecated.successor}.`;
  return {
    name: messageName(definition),
    title: key,
    ...(ends && { description: `${ends}${next ?? ""}` }),
    payload: {
      type: "object",
      required: [
        "id",
        "tenantId",
        "type",
        "version",
        "aggregateType",
        "aggregateId",
        "payload",
        "headers",
        "occurredAt",
      ],
      properties: {
        id: { type: "string", format: "uuid", description: "The same on every delivery and redrive." },
        tenantId: { type: ["string", "null"], description: "null for an event of the platform." },
        type: { const: type },
        version: { const: version },
        aggregateType: text,
        aggregateId: text,
        payload: payloadOf(definition),
        headers: { type: "object", additionalProperties: text },
        occurredAt: { type: "string", format: "date-time" },
      },
    },
    ...examplesOf(definition),
  };
}

function payloadOf({ payload }: EventDefinition): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(payload, { target: "draft-7", io: "input" }) as JsonSchema;
  return schema;
}

/** The event with everything in it, as it is and as a CloudEvent. */
function examplesOf(definition: EventDefinition): JsonSchema {
  const [, most] = samplesOf(contractOf(definition));
  if (most === undefined) return {};
  const example: DomainEvent = {
    id: "0190d0a2-6a4c-7c3e-8c55-3f0b6f8f2a11",
    tenantId: "0190d0a2-6a4c-7c3e-8c55-3f0b6f8f2a12",
    type: definition.type,
    version: definition.version,
    aggregateType: definition.type.split(".")[1] ?? "",
    aggregateId: "0190d0a2-6a4c-7c3e-8c55-3f0b6f8f2a13",
    payload: most,
    headers: {
      actor: "user:0190d0a2-6a4c-7c3e-8c55-3f0b6f8f2a14",
      "correlation-id": "0190d0a2-6a4c-7c3e-8c55-3f0b6f8f2a15",
    },
    occurredAt: "2026-01-02T03:04:05.000Z",
  };
  return { examples: [{ payload: example }], "x-cloudevent": toCloudEvent(example, "/groundwork") };
}
