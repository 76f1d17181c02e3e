// Giving an event up, and trying it again. A redrive goes through the outbox like any event, addressed to the
// one consumer that gave up; the message carries the original event's id, so others know it already.
import { newId } from "../db/ids";
import type { Tx } from "../db/tenant";
import { deadLettersTotal } from "../telemetry/metrics";
import { parseTraceparent } from "../telemetry/tracing";
import { appendToOutbox } from "./outbox";
import { deadLetterInsert, deadLetterMarkRedriven, deadLetterTake } from "./store/dead-letter";
import { inboxMarkDead, inboxReopen } from "./store/inbox";
import { REDRIVE_CONSUMER, REDRIVE_OF, type DomainEvent } from "./topic";

export interface Burial {
  /** Why, in one lower_snake word: attempts_exhausted, payload_invalid, unknown_event. */
  reason: string;
  error: string;
  attempts: number;
}

/** Records that `consumer` gave the event up, in the caller's transaction. */
export async function buryEvent(tx: Tx, consumer: string, message: DomainEvent, burial: Burial): Promise<void> {
  await inboxMarkDead(tx, consumer, message.id);
  await deadLetterInsert(tx, {
    id: newId(),
    tenantId: message.tenantId,
    consumer,
    eventId: message.id,
    aggregateType: message.aggregateType,
    aggregateId: message.aggregateId,
    type: message.type,
    version: message.version,
    payload: message.payload,
    headers: message.headers,
    occurredAt: message.occurredAt,
    traceId: parseTraceparent(message.headers.traceparent)?.traceId ?? null,
    ...burial,
  });
  tx.afterCommit(() => deadLettersTotal.add(1, { source: "events" }));
}

/** Sends a dead letter to its consumer once more. False when there is no open one of that id in the transaction's scope. */
export async function redriveEvent(tx: Tx, deadLetterId: string): Promise<boolean> {
  const letter = await deadLetterTake(tx, deadLetterId);
  if (!letter) return false;
  await inboxReopen(tx, letter.consumer, letter.eventId);
  await deadLetterMarkRedriven(tx, letter.id);
  await appendToOutbox(tx, {
    id: newId(),
    destination: "event",
    tenantId: letter.tenantId,
    aggregateType: letter.aggregateType,
    aggregateId: letter.aggregateId,
    type: letter.type,
    version: letter.version,
    payload: letter.payload,
    headers: { ...letter.headers, [REDRIVE_OF]: letter.eventId, [REDRIVE_CONSUMER]: letter.consumer },
  });
  return true;
}
