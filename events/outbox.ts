// Writing to the outbox: the only way an event or a job leaves a transaction.
import type { TenantId } from "../security/principal";
import { provenanceHeaders } from "../security/provenance";
import type { SystemReason } from "../security/system-reasons";
import { traceHeaders, withSpan } from "../telemetry/tracing";
import { cfg } from "../config";
import { idFromParts, newId } from "../db/ids";
import { systemQuery, type Tx } from "../db/tenant";
import { errors } from "./errors";
import type { EventDefinition } from "./event";
import { KAFKA } from "./kafka/message";
import { signalRelay } from "./signal";
import { REDRIVE_OF } from "./topic";
import { OUTBOX_KEPT, outboxHasten, outboxInsert, type OutboxInsert } from "./store/outbox";

export interface EmitOptions {
  /** What the event is about; events of one aggregate are published in the order they were emitted. */
  aggregateType: string;
  aggregateId: string;
  /** Needed only in a system transaction, which has no tenant of its own; null for an event of the platform. */
  tenantId?: TenantId | null;
}

/** Where an event goes beside the app's own consumers: a row for each, so that none waits for another. */
const COPIES: readonly string[] = cfg.events.kafka ? [KAFKA] : [];

/**
 * Records an event in the caller's transaction and resolves with its id; the row travels with the transaction's next
 * statement or its commit, which fails if the database refuses it. It is published after the commit,
 * at least once, and never if the transaction rolls back. Throws ZodError when the payload does not fit its
 * schema, APIError payload_too_large when it is longer than PAYLOAD_BYTES_MAX.
 */
export async function emit<Payload>(
  tx: Tx,
  event: EventDefinition<string, number, Payload>,
  payload: Payload,
  options: EmitOptions,
): Promise<string> {
  const entry: OutboxEntry = {
    id: newId(),
    destination: "event",
    tenantId: options.tenantId === undefined ? tx.tenantId : options.tenantId,
    aggregateType: options.aggregateType,
    aggregateId: options.aggregateId,
    type: event.type,
    version: event.version,
    payload: event.payload.parse(payload),
    headers: {},
  };
  return appendToOutbox(tx, entry, COPIES);
}

/** A row to append; `destination` says who publishes it: 'event' → the domain-events topic, others by registerDestination. */
export type OutboxEntry = OutboxInsert;

/** Longest payload in bytes of JSON: what the narrowest of the usual transports takes (SNS and SQS; Kafka's default is 1 MB). */
export const PAYLOAD_BYTES_MAX = 256 * 1024;

/** @throws APIError payload_too_large, before anything is written: no transport would take it, and its aggregate would wait for ever. */
export function payloadText({ type, payload }: Pick<OutboxEntry, "type" | "payload">): string {
  const text = JSON.stringify(payload ?? null);
  const bytes = Buffer.byteLength(text);
  if (bytes <= PAYLOAD_BYTES_MAX) return text;
  const facts = { type, bytes: String(bytes), bytesMax: String(PAYLOAD_BYTES_MAX) };
  throw errors.payload_too_large({ facts, internal: `the payload of ${type} has ${bytes} bytes of JSON` });
}

/**
 * Appends a row for any destination; a second append with the same id is no error and no second row. The row
 * carries the trace it is written in and who caused it, unless its headers say so already (a redrive stays in the old one).
 * Each destination in `copies` gets the same under an id of its own, which says by a header whose copy it is.
 */
export async function appendToOutbox(tx: Tx, entry: OutboxEntry, copies: readonly string[] = []): Promise<string> {
  const attributes = {
    "messaging.operation.type": "create",
    "messaging.message.id": entry.id,
    "messaging.destination.name": entry.destination,
  };
  const payload = payloadText(entry);
  return withSpan(`outbox ${entry.type}`, { kind: "producer", attributes }, async () => {
    const headers = Object.assign(traceHeaders(), provenanceHeaders(entry.id), entry.headers);
    await outboxInsert(tx, { ...entry, headers }, payload);
    tx.afterCommit(() => signalRelay(entry.destination));
    for (const destination of copies) {
      const copy = {
        id: idFromParts(entry.id, destination),
        destination,
        headers: { ...headers, [REDRIVE_OF]: entry.id },
      };
      await outboxInsert(tx, { ...entry, ...copy }, payload);
      tx.afterCommit(() => signalRelay(destination));
    }
    return entry.id;
  });
}

/** Lets a row be handed over when this transaction has committed, if nobody has done so yet, whatever it waits for. */
export async function handOverNow(tx: Tx, { id, destination }: Pick<OutboxEntry, "id" | "destination">): Promise<void> {
  await outboxHasten(tx, id);
  tx.afterCommit(() => signalRelay(destination));
}

/**
 * Which of these rows nobody has handed over: they wait, or were given up and may be sent again. With the time at which each is due,
 * in milliseconds since 1970 by the database's clock.
 */
export async function keptInOutbox(reason: SystemReason, ids: readonly string[]): Promise<Map<string, number>> {
  const rows = await systemQuery<{ id: string; dueMs: number }>(reason, OUTBOX_KEPT, [ids]);
  return new Map(rows.map(({ id, dueMs }) => [id, dueMs]));
}
