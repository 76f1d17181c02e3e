// Writing to the outbox: the only way an event or a job leaves a transaction.
import type { TenantId } from "../security/principal";
import { provenanceHeaders } from "../security/provenance";
import { traceHeaders, withSpan } from "../telemetry/tracing";
import { newId } from "../db/ids";
import type { Tx } from "../db/tenant";
import type { EventDefinition } from "./event";
import { signalRelay } from "./signal";
import { outboxInsert, type OutboxInsert } from "./store/outbox";

export interface EmitOptions {
  /** What the event is about; events of one aggregate are published in the order they were emitted. */
  aggregateType: string;
  aggregateId: string;
  /** Needed only in a system transaction, which has no tenant of its own; null for an event of the platform. */
  tenantId?: TenantId | null;
}

/**
 * Records an event in the caller's transaction and resolves with its id. It is published after the commit,
 * at least once, and never if the transaction rolls back. Throws ZodError when the payload does not fit.
 */
export async function emit<Payload>(
  tx: Tx,
  event: EventDefinition<string, number, Payload>,
  payload: Payload,
  options: EmitOptions,
): Promise<string> {
  return appendToOutbox(tx, {
    id: newId(),
    destination: "event",
    tenantId: options.tenantId === undefined ? tx.tenantId : options.tenantId,
    aggregateType: options.aggregateType,
    aggregateId: options.aggregateId,
    type: event.type,
    version: event.version,
    payload: event.payload.parse(payload),
    headers: {},
  });
}

/** A row to append; `destination` says who publishes it: 'event' → the domain-events topic, others by registerDestination. */
export type OutboxEntry = OutboxInsert;

/**
 * Appends a row for any destination; a second append with the same id is no error and no second row. The row
 * carries the trace it is written in and who caused it, unless its headers say so already (a redrive stays in the old one).
 */
export function appendToOutbox(tx: Tx, entry: OutboxEntry): Promise<string> {
  const attributes = {
    "messaging.operation.type": "create",
    "messaging.message.id": entry.id,
    "messaging.destination.name": entry.destination,
  };
  return withSpan(`outbox ${entry.type}`, { kind: "producer", attributes }, async () => {
    await outboxInsert(tx, {
      ...entry,
      headers: { ...traceHeaders(), ...provenanceHeaders(entry.id), ...entry.headers },
    });
    tx.afterCommit(() => signalRelay(entry.destination));
    return entry.id;
  });
}
