// The one topic that carries every domain event. Ordered by aggregate where the transport can order.
import { Topic, type Attribute } from "encore.dev/pubsub";

/** Header of a redriven event: the id it had first. */
export const REDRIVE_OF = "redrive-of";
/** Header of a redriven event: the only consumer it is for. */
export const REDRIVE_CONSUMER = "redrive-consumer";

export interface DomainEvent {
  /** The event's id, the same on every delivery and redrive: what consumers de-duplicate by. */
  id: string;
  tenantId: string | null;
  type: string;
  version: number;
  aggregateType: string;
  aggregateId: Attribute<string>;
  payload: unknown;
  /** W3C trace context of the transaction that emitted it, and its actor, correlation-id and causation-id (security/provenance.ts). */
  headers: Record<string, string>;
  /** ISO 8601. */
  occurredAt: string;
}

/** The id that an event had first: that of its row in the outbox, but for one that is sent again. */
export const eventIdOf = ({ id, headers }: Pick<DomainEvent, "id" | "headers">): string => headers[REDRIVE_OF] ?? id;

/** What is published of an event's row in the outbox. A redriven one goes by the id that it had first. */
export function messageOf(row: Omit<DomainEvent, "occurredAt"> & { occurredAt: Date }): DomainEvent {
  const { tenantId, type, version, aggregateType, aggregateId, payload, headers, occurredAt } = row;
  return {
    id: eventIdOf(row),
    tenantId,
    type,
    version,
    aggregateType,
    aggregateId,
    payload,
    headers,
    occurredAt: occurredAt.toISOString(),
  };
}

export const domainEvents = new Topic<DomainEvent>("domain-events", {
  deliveryGuarantee: "at-least-once",
  orderingAttribute: "aggregateId",
});
